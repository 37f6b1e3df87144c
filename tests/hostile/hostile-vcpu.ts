/** One vCPU that a thread of fuzz.ts runs, with one guest after the other. */
import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { openEngine } from '@vireo/engine-host';
import type { Vcpu, VcpuExit, Vm } from '@vireo/hypervisor';
import { Mapping, memoryFile } from '@vireo/linux';
import { Random } from '../differential/random.ts';
import { makeGuest, RAM_BYTES, ROM_BYTES, ROM_GPA, randomEvents } from './random-guest.ts';

const MEMORY_BYTES = RAM_BYTES + ROM_BYTES;
/** Of one guest. A kick ends a run, so a guest takes as long as so many kicks at most. */
const MOST_RUNS = 400;
const MOST_KICKS = 3;
/** What the contract says the engine's `run` may return. */
const EXITS: readonly VcpuExit['kind'][] = [
  'io',
  'mmio',
  'interrupted',
  'interrupt-window',
  'shutdown',
  'debug',
  'hlt',
];
const MPS = ['runnable', 'runnable', 'runnable', 'halted', 'uninitialized', 'init-received'] as const;

export class HostileVcpu implements Disposable {
  readonly #vm: Vm;
  readonly #mapping: Mapping;
  readonly #fd = memoryFile('vireo-hostile', MEMORY_BYTES);
  readonly #memory: Uint8Array;
  readonly vcpu: Vcpu;
  readonly exits = new Map<VcpuExit['kind'], number>();

  private constructor(vm: Vm) {
    this.#vm = vm;
    const fd = this.#fd;
    this.#mapping = Mapping.map({ fd, lengthBytes: MEMORY_BYTES });
    const { hva, buffer } = this.#mapping;
    const backing = { fd, fdOffset: 0, hva, sizeBytes: MEMORY_BYTES, buffer };
    this.#memory = new Uint8Array(buffer);
    vm.setMemorySlot({ id: 0, gpa: 0, sizeBytes: RAM_BYTES, backing, backingOffset: 0, logDirtyPages: true });
    const rom = { id: 1, gpa: ROM_GPA, sizeBytes: ROM_BYTES, backing, backingOffset: RAM_BYTES };
    vm.setMemorySlot({ ...rom, readonly: true });
    this.vcpu = vm.createVcpu(0).open();
  }

  static async open(): Promise<HostileVcpu> {
    const engine = await openEngine();
    const hostile = new HostileVcpu(engine.createVm({ interruptControllers: 'in-kernel' }));
    hostile.vcpu.setCpuid(engine.supportedCpuid());
    return hostile;
  }

  /** Whom the watching thread is to kick. */
  get seed() {
    return this.#vm.createVcpu(0).seed;
  }

  /** `beat`: called at each return from the guest. */
  run(seed: number, beat: () => void): void {
    const random = new Random(BigInt(seed));
    this.#prepare(random);
    let kicks = 0;
    for (let runs = 0; runs < MOST_RUNS && kicks < MOST_KICKS; runs++) {
      const exit = this.vcpu.run();
      beat();
      assert.ok(EXITS.includes(exit.kind), `exit ${exit.kind}`);
      this.exits.set(exit.kind, (this.exits.get(exit.kind) ?? 0) + 1);
      if (exit.kind === 'shutdown') return;
      if (exit.kind === 'interrupted') kicks++;
      else answer(random, exit);
      if (random.chance(64)) this.#disturb(random);
    }
    this.vcpu.save();
  }

  #prepare(random: Random): void {
    const { vcpu } = this;
    const { general, special } = makeGuest(random, this.#memory.subarray(0, RAM_BYTES));
    vcpu.setEvents(NO_EVENTS);
    vcpu.setSpecialRegisters(special);
    vcpu.setRegisters(general);
    vcpu.setMpState(random.pick(MPS));
    if (random.chance(8)) vcpu.setEvents(randomEvents(random));
    const [a, b, c, d] = [0, 0, 0, 0].map(() => BigInt(random.below(RAM_BYTES)));
    const dr7 = random.chance(8) ? random.next() & 0xffff_ffffn : 0x400n;
    vcpu.setDebugRegisters({ addresses: [a!, b!, c!, d!], dr6: 0xffff_0ff0n, dr7 });
    vcpu.setGuestDebug({ singleStep: random.chance(64), softwareBreakpoints: random.chance(16) });
    vcpu.setLapic(random.chance(8) ? random.bytes(1024) : new Uint8Array(1024));
    this.#setMsrs(random);
  }

  /** The values of MSRs may be refused. */
  #setMsrs(random: Random): void {
    for (const { index } of this.vcpu.getMsrs(MSRS)) {
      if (!random.chance(4)) continue;
      try {
        this.vcpu.setMsrs([{ index, value: random.operand() }]);
      } catch (error) {
        if (!(error instanceof RangeError) || !/refuses the value/.test(error.message)) throw error;
      }
    }
  }

  /** What the host may do between two runs. */
  #disturb(random: Random): void {
    switch (random.below(5)) {
      case 0:
        this.vcpu.setEvents(randomEvents(random));
        break;
      case 1:
        this.vcpu.injectNmi();
        break;
      case 2:
        this.vcpu.requestInterruptWindow(random.chance(2));
        break;
      case 3:
        this.#vm.takeDirtyLog(0);
        break;
      default:
        this.#vm.signalMsi({ address: 0xfee0_0000n, data: random.below(0x1_0000) });
    }
  }

  [Symbol.dispose](): void {
    this.vcpu.close();
    this.#vm.close();
    this.#mapping.unmap();
    closeSync(this.#fd);
  }
}

function answer(random: Random, exit: VcpuExit): void {
  if (exit.kind !== 'io' && exit.kind !== 'mmio') return;
  for (let at = 0; at < exit.data.byteLength; at++) exit.data.setUint8(at, random.below(256));
}

const NO_EVENTS = {
  exception: { pending: false, injected: false, vector: 0, errorCode: null, payload: null },
  interrupt: { injected: false, vector: 0, soft: false, shadow: 0 },
  nmi: { injected: false, pending: false, masked: false },
  sipiVector: 0,
  smi: { inSmm: false, pending: false, smmInsideNmi: false, latchedInit: false },
  tripleFaultPending: false,
};

const MSRS = [
  ...[0x10, 0x1b, 0x3a, 0x3b, 0x174, 0x175, 0x176, 0x1a0, 0x277, 0x2ff, 0x6e0],
  ...[0xc000_0080, 0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084],
  ...[0xc000_0100, 0xc000_0101, 0xc000_0102, 0xc000_0103, 0x4b56_4d00, 0x4b56_4d01],
];
