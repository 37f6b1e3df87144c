/** Locked instructions of vCPUs that run at the same time (Intel SDM Vol. 3A §8.1.2 "Bus Locking"). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type Decoded, decode } from '@vireo/x86-isa';
import { makeInterpreter, stopHandler } from './interpreter-module.ts';
import { RecordWriter } from './record-writer.ts';
import { DATA, type LockingVcpuData, MAX_VCPUS, recordsOf, stateOf } from './testing/locking-vcpu.ts';
import { listVariants, VariantIndex } from './variants.ts';

const MEMORY_PAGES = 16;
const ROUNDS = 40_000;
/** How often the code stands one after the other, so that a round is more than a call. */
const REPEATS = 50;
const TIMES = ROUNDS * REPEATS;

const RAX = 0;
const RDX = 2;
const RBX = 3;
const R8 = 8;

/** Handlers for all instructions take long to compile. */
const USED = /^(INC|ADD|XCHG|CMPXCHG|CMPXCHG16B|LEA|SETE|MOVZX)$/;

class LockingMachine {
  readonly memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
  readonly data = new DataView(this.memory.buffer, DATA);
  readonly #view = new DataView(this.memory.buffer);
  readonly #variants = listVariants().filter(({ instruction }) => USED.test(instruction.mnemonic));
  #vcpus = 0;

  /** Another vCPU, whose code is this in 64-bit mode; its RBX points to the data. */
  addVcpu(...instructions: readonly string[]): void {
    const id = this.#vcpus++;
    assert(id < MAX_VCPUS);
    const writer = new RecordWriter(this.memory.buffer, stateOf(id), new VariantIndex(this.#variants));
    let record = recordsOf(id);
    for (let repeat = 0; repeat < REPEATS; repeat++)
      for (const instruction of instructions) record = writer.write(record, decodeHex(instruction), 0, 64);
    writer.end(record, stopHandler(this.#variants), 0);
    this.setRegister(id, RBX, BigInt(DATA));
  }

  setRegister(id: number, number: number, value: bigint): void {
    this.#view.setBigUint64(stateOf(id) + number * 8, value, true);
  }

  getRegister(id: number, number: number): bigint {
    return this.#view.getBigUint64(stateOf(id) + number * 8, true);
  }

  async run(): Promise<void> {
    const limits = { minimumPages: MEMORY_PAGES, maximumPages: MEMORY_PAGES };
    const module = new WebAssembly.Module(makeInterpreter(limits, this.#variants));
    const vcpus = this.#vcpus;
    const ends = Array.from({ length: vcpus }, (_, id) => {
      const workerData: LockingVcpuData & { vcpus: number } = {
        ...{ module, memory: this.memory, id, rounds: ROUNDS, vcpus },
      };
      const worker = new Worker(new URL('./testing/locking-vcpu.ts', import.meta.url), { workerData });
      return new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));
    });
    await Promise.all(ends);
  }
}

function decodeHex(hex: string): Decoded {
  const decoded = decode(Buffer.from(hex.replaceAll(' ', ''), 'hex'), 64);
  if (typeof decoded === 'string') throw new Error(`${hex} is ${decoded}`);
  return decoded;
}

test('aligned: no increment is lost', async () => {
  const machine = new LockingMachine();
  // 64, 32, 16 and 8 bits at RBX, RBX+8, RBX+14, RBX+13
  for (let id = 0; id < 3; id++)
    machine.addVcpu('f0 48 ff 03', 'f0 ff 43 08', 'f0 66 ff 43 0e', 'f0 fe 43 0d');
  await machine.run();
  assert.equal(machine.data.getBigUint64(0, true), BigInt(3 * TIMES));
  assert.equal(machine.data.getUint32(8, true), 3 * TIMES);
  assert.equal(machine.data.getUint16(14, true), (3 * TIMES) % 65536);
  assert.equal(machine.data.getUint8(13), (3 * TIMES) % 256);
});

test('misaligned within 8 bytes: neither the operand nor its neighbours lose anything', async () => {
  const machine = new LockingMachine();
  machine.addVcpu('f0 ff 43 01', 'f0 66 ff 43 05'); // 32 bits at RBX+1, 16 bits at RBX+5
  machine.addVcpu('f0 ff 43 01', 'f0 fe 03', 'f0 fe 43 07'); // its neighbours are bytes
  await machine.run();
  assert.equal(machine.data.getUint32(1, true), 2 * TIMES);
  assert.equal(machine.data.getUint16(5, true), TIMES % 65536);
  assert.equal(machine.data.getUint8(0), TIMES % 256);
  assert.equal(machine.data.getUint8(7), TIMES % 256);
});

test('split locks, across 8 bytes, lose nothing of each other', async () => {
  const machine = new LockingMachine();
  for (let id = 0; id < 3; id++) machine.addVcpu('f0 48 ff 43 04', 'f0 ff 43 16'); // RBX+4, RBX+22
  await machine.run();
  assert.equal(machine.data.getBigUint64(4, true), BigInt(3 * TIMES));
  assert.equal(machine.data.getUint32(22, true), 3 * TIMES);
});

test('XCHG with memory locks without being told: values are handed on, none is lost or doubled', async () => {
  const machine = new LockingMachine();
  machine.addVcpu('48 87 03');
  machine.addVcpu('48 87 03');
  machine.setRegister(0, RAX, 1n);
  machine.setRegister(1, RAX, 2n);
  machine.data.setBigUint64(0, 4n, true);
  await machine.run();
  const values = [machine.data.getBigUint64(0, true), ...[0, 1].map((id) => machine.getRegister(id, RAX))];
  assert.deepEqual(values.sort(), [1n, 2n, 4n]);
});

/** Each success is counted in R8: SETE CL; MOVZX RCX, CL; ADD R8, RCX. */
const COUNT_SUCCESS = ['0f 94 c1', '48 0f b6 c9', '49 01 c8'];

test('LOCK CMPXCHG succeeds as often as the value changes', async () => {
  const machine = new LockingMachine();
  const step = ['48 8d 50 01', 'f0 48 0f b1 13', ...COUNT_SUCCESS]; // RDX = RAX + 1; if [RBX] = RAX, [RBX] = RDX
  machine.addVcpu(...step);
  machine.addVcpu(...step);
  await machine.run();
  const successes = [0, 1].map((id) => machine.getRegister(id, R8));
  assert(successes.every((count) => count > 0n));
  assert.equal(machine.data.getBigUint64(0, true), successes[0]! + successes[1]!);
});

test('LOCK CMPXCHG16B changes both halves or none', async () => {
  const machine = new LockingMachine();
  const RDI = 7;
  // RBX = RAX + 1, RCX = RDX + 1; if [RDI] = RDX:RAX, [RDI] = RCX:RBX
  const step = ['48 8d 58 01', '48 8d 4a 01', 'f0 48 0f c7 0f', ...COUNT_SUCCESS];
  for (let id = 0; id < 2; id++) {
    machine.addVcpu(...step);
    machine.setRegister(id, RDI, BigInt(DATA));
  }
  await machine.run();
  const successes = [0, 1].map((id) => machine.getRegister(id, R8));
  assert.equal(machine.data.getBigUint64(0, true), successes[0]! + successes[1]!);
  assert.equal(machine.data.getBigUint64(8, true), successes[0]! + successes[1]!);
  for (let id = 0; id < 2; id++) assert.equal(machine.getRegister(id, RAX), machine.getRegister(id, RDX));
});
