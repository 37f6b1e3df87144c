/** Guests whose vCPUs run or wait in threads of their own when they are moved: wherever they happen to be. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VcpuState } from '../../vcpu-state.ts';
import { type Assembler, at, dword, edi, qword, r12, rax, rbx, rcx, rdi, xmm0, xmm1 } from '../assembler.ts';
import type { CaseContext } from '../case-context.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { isDone } from '../exit-data.ts';
import { APIC_ICR_HIGH, APIC_ICR_LOW, done, enableLapic, lapicEoi } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';
import { enableSse } from '../guest-vector.ts';
import type { Machine, MachineOptions } from '../machine.ts';
import type { VcpuThread } from '../vcpu-thread.ts';
import { moveAllButVcpus, throughJson } from './moves.ts';

const MOVES = 4;
/** How far guests come between two moves at least, by what they count at `PROGRESS`. */
const LEG = 10n;
const POLL_MS = 2;
const PROGRESS = DATA + 0x200;
/** What the host writes so that guests come to their end. */
const END = DATA + 0x800;
const RESULT = DATA + 0x100;

/** The vCPUs of one machine, which are at the labels that `entries` names. */
class Crew {
  machine: Machine;
  readonly #options: MachineOptions;
  #side: CaseContext;
  #threads: VcpuThread[] = [];

  private constructor(t: CaseContext, options: MachineOptions) {
    this.#side = t;
    this.#options = options;
    this.machine = t.machine(options);
  }

  static async start(t: CaseContext, options: MachineOptions, entries: readonly string[]): Promise<Crew> {
    const crew = new Crew(t, options);
    const { machine } = crew;
    for (const [id, label] of entries.entries())
      crew.#threads.push(await t.thread(machine, id, machine.program.address(label)));
    // Others than the first would wait for a SIPI.
    for (const thread of crew.#threads) await thread.call('setMpState', 'runnable');
    for (const thread of crew.#threads) thread.start();
    return crew;
  }

  /** Waits until the guest has come a bit further. */
  async comeFurther(): Promise<void> {
    const { machine } = this;
    const start = machine.memory.readU64(PROGRESS);
    while (machine.memory.readU64(PROGRESS) < start + LEG) {
      await sleep(POLL_MS);
      machine.checkTime();
    }
  }

  /** Stops everybody wherever they are, and goes on on the other side. */
  async move(): Promise<void> {
    for (const thread of this.#threads) await thread.stop();
    const states: VcpuState[] = [];
    for (const thread of this.#threads) states.push(throughJson(await thread.call('save')));
    const ids = states.map((_, id) => id);
    for (const thread of this.#threads) await thread.close();
    this.machine = moveAllButVcpus(this.#side, this.machine, this.#options, ids);
    this.#side = this.#side.destination;
    this.#threads = [];
    for (const id of ids) this.#threads.push(await this.#side.thread(this.machine, id));
    for (const [id, thread] of this.#threads.entries()) await thread.call('restore', states[id]!);
    for (const thread of this.#threads) thread.start();
  }

  /** Asks the guest to come to its end, which it does. */
  async finish(): Promise<void> {
    this.machine.memory.writeU32(END, 1);
    for (const thread of this.#threads) {
      const { exit } = await thread.stopped();
      assert.ok(isDone(exit), `vCPU ${thread.handle.id} stopped with ${exit.kind}`);
    }
  }
}

async function travel(crew: Crew): Promise<void> {
  for (let i = 0; i < MOVES; i++) {
    await crew.comeFurther();
    await crew.move();
  }
  await crew.comeFurther();
  await crew.finish();
}

const FACTOR = 0x5851_f42d_4c95_7f2dn;
const ADDEND = 0x1405_7b7e_f767_814fn;

/** x ← x × FACTOR + ADDEND, n times, from 0: by squaring the step. */
function iterated(n: bigint): bigint {
  let [factor, addend, result] = [FACTOR, ADDEND, 0n];
  for (let left = n; left > 0n; left >>= 1n) {
    if (left & 1n) result = BigInt.asUintN(64, result * factor + addend);
    addend = BigInt.asUintN(64, addend * (factor + 1n));
    factor = BigInt.asUintN(64, factor * factor);
  }
  return result;
}

/** Computes and counts until it is told to stop. */
function computation(
  setUp: (a: Assembler) => void,
  step: (a: Assembler) => void,
  end: (a: Assembler) => void,
) {
  return {
    code(a: Assembler) {
      setUp(a);
      a.mov(r12, 0);
      a.mov(rbx, 0);
      a.mov(rcx, FACTOR);
      a.label('again');
      a.imul(rbx, rcx);
      a.mov(rax, ADDEND);
      a.add(rbx, rax);
      step(a);
      a.inc(r12);
      a.mov(qword(PROGRESS), r12);
      a.cmp(dword(END), 0);
      a.jcc('e', 'again');
      a.mov(edi, RESULT);
      a.mov(qword(rdi), r12);
      a.mov(qword(rdi, 8), rbx);
      end(a);
      done(a);
    },
  };
}

async function checkComputation(t: CaseContext, options: MachineOptions): Promise<[Machine, bigint]> {
  const crew = await Crew.start(t, { ...options, code: (a) => [a.label('start'), options.code(a)] }, [
    'start',
  ]);
  await travel(crew);
  const { machine } = crew;
  const count = machine.memory.readU64(RESULT);
  t.note(`${count} steps`);
  assert.ok(count > BigInt(MOVES));
  assert.equal(machine.memory.readU64(RESULT + 8), iterated(count));
  return [machine, count];
}

const integer: ConformanceCase = {
  name: 'a guest that computes is moved in the midst of it, again and again',
  needs: ['threads'],
  async run(t) {
    await checkComputation(
      t,
      computation(
        () => {},
        () => {},
        () => {},
      ),
    );
  },
};

const vector: ConformanceCase = {
  name: 'a guest that computes with SSE and x87 is moved in the midst of it, again and again',
  needs: ['threads', 'sse', 'x87'],
  async run(t) {
    const options = computation(
      (a) => {
        enableSse(a);
        a.fninit();
        a.fldz();
        a.mov(rax, FACTOR);
        a.movq(xmm1, rax);
        a.pxor(xmm0, xmm0);
      },
      (a) => [a.paddq(xmm0, xmm1), a.fld1(), a.faddp()],
      (a) => [a.movups(at(rdi, 0x10), xmm0), a.fstpDouble(at(rdi, 0x20))],
    );
    const [{ memory }, count] = await checkComputation(t, options);
    assert.equal(memory.readU64(RESULT + 0x10), BigInt.asUintN(64, FACTOR * count));
    const sum = new DataView(new ArrayBuffer(8));
    sum.setBigUint64(0, memory.readU64(RESULT + 0x20));
    assert.equal(sum.getFloat64(0), Number(count));
  },
};

const VECTOR = 0x51;
const READY = DATA + 0x300;

/** Sends an interrupt to the other vCPU at each one that it gets. */
function player(a: Assembler, id: number): void {
  a.label(`vCPU ${id}`);
  enableLapic(a);
  a.mov(rbx, PROGRESS + id * 8);
  a.mov(dword(APIC_ICR_HIGH), (1 - id) * 0x1000000);
  if (id === 1) {
    a.mov(dword(READY), 1);
  } else {
    a.label('the other is ready');
    a.pause();
    a.cmp(dword(READY), 0);
    a.jcc('e', 'the other is ready');
    a.mov(dword(APIC_ICR_LOW), VECTOR);
  }
  a.sti();
  a.label(`wait ${id}`);
  a.hlt();
  a.cmp(dword(END), 0);
  a.jcc('e', `wait ${id}`);
  done(a);
}

const interprocessor: ConformanceCase = {
  name: 'no interrupt between two vCPUs is lost when both are moved',
  needs: ['threads', 'in-kernel-interrupt-controllers'],
  async run(t) {
    const options: MachineOptions = {
      interruptControllers: 'in-kernel',
      code(a) {
        player(a, 0);
        player(a, 1);
        a.label('interrupt');
        a.inc(qword(rbx));
        lapicEoi(a);
        a.mov(dword(APIC_ICR_LOW), VECTOR);
        a.iret();
      },
      vectors: { [VECTOR]: 'interrupt' },
    };
    const crew = await Crew.start(t, options, ['vCPU 0', 'vCPU 1']);
    await travel(crew);
    const [first, second] = [0, 8].map((offset) => crew.machine.memory.readU64(PROGRESS + offset));
    t.note(`${first} and ${second} interrupts`);
    assert.ok(second! >= 1n && second! - first! >= -1n && second! - first! <= 1n);
  },
};

export const moveThreadCases: readonly ConformanceCase[] = [integer, vector, interprocessor];
