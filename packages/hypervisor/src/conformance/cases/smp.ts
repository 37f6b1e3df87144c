/** Several vCPUs, each in a thread of its own (Intel SDM Vol. 3A §8.4.4 "MP Initialization Example"). */
import assert from 'node:assert/strict';
import {
  type Assembler,
  addressOf,
  at,
  ax,
  cr0,
  ds,
  dword,
  eax,
  ecx,
  edi,
  es,
  esi,
  esp,
  ss,
} from '../assembler.ts';
import type { CaseContext } from '../case-context.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import {
  APIC_ICR_HIGH,
  APIC_ICR_LOW,
  APIC_ID,
  delay,
  done,
  enableLapic,
  haltForEver,
  lapicEoi,
  report,
  reportEax,
} from '../guest-code.ts';
import { CODE, DATA, GDT, SELECTORS } from '../guest-layout.ts';
import type { Machine, MachineOptions } from '../machine.ts';
import type { Feature } from '../subject.ts';
import type { VcpuThread } from '../vcpu-thread.ts';
import { msi } from './interrupt-guest.ts';

const NEEDS = ['in-kernel-interrupt-controllers', 'threads'] as const;
const VCPUS = 4;

/** A page, as a startup IPI needs it. */
const TRAMPOLINE = 0x9000;
const COUNTER = DATA;
const LOCK = DATA + 0x40;
const FLAGS = DATA + 0x80;

const INIT_ALL_BUT_SELF = 0xc4500;
const STARTUP_ALL_BUT_SELF = 0xc4600 | (TRAMPOLINE >> 12);
const FIXED_ALL_BUT_SELF = 0xc4000;
const NMI_PHYSICAL = 0x4400;

const PING = 0x60;
const PONG = 0x61;

/** INIT and startup IPIs to every other vCPU; waits until all have counted themselves at COUNTER. */
function startOthers(a: Assembler): void {
  a.mov(dword(APIC_ICR_LOW), INIT_ALL_BUT_SELF);
  delay(a, 1000, ecx);
  a.mov(dword(APIC_ICR_LOW), STARTUP_ALL_BUT_SELF);
  waitFor(a, COUNTER, VCPUS - 1);
}

function waitFor(a: Assembler, address: number, value: number): void {
  const label = `wait at ${a.here}`;
  a.label(label);
  a.pause();
  a.cmp(dword(address), value);
  a.jcc('ne', label);
}

/** From real mode to flat protected mode with a stack of its own; EDI holds the APIC id. */
function trampoline(a: Assembler): void {
  a.org(TRAMPOLINE);
  a.bits(16);
  a.cli();
  a.mov(ax, 0);
  a.mov(ds, ax); // CS is TRAMPOLINE >> 4, with offsets from there
  a.lgdt(at('gdt'));
  a.mov(eax, cr0);
  a.or(eax, 1);
  a.mov(cr0, eax);
  a.jmpFar(SELECTORS.code32, addressOf('application'), 32);
  a.label('gdt');
  a.dw(0x6f);
  a.dd(GDT);
  a.label('idt');
  a.dw(0xfff);
  a.dd(0x2000);
  a.bits(32);
  a.label('application');
  a.mov(ax, SELECTORS.data);
  for (const register of [ds, es, ss]) a.mov(register, ax);
  enableLapic(a);
  a.lidt(at('idt'));
  a.mov(edi, dword(APIC_ID));
  a.shr(edi, 24);
  a.mov(esp, edi);
  a.shl(esp, 10);
  a.add(esp, 0x4000 + 0x400);
}

/** vCPU 0 starts the others in protected mode; they go to `application`, then run `body` with their id in EDI. */
function startedGuest(
  boot: (a: Assembler) => void,
  body: (a: Assembler) => void,
  extra: Partial<MachineOptions> = {},
): MachineOptions {
  return {
    mode: 'protected',
    interruptControllers: 'in-kernel',
    code(a) {
      enableLapic(a);
      boot(a);
      trampoline(a);
      body(a);
    },
    ...extra,
  };
}

async function openAll(t: CaseContext, machine: Machine): Promise<VcpuThread[]> {
  const ids = Array.from({ length: VCPUS }, (_, id) => id);
  return await Promise.all(ids.map((id) => t.thread(machine, id, id === 0 ? CODE : undefined)));
}

const bringUp: ConformanceCase = {
  name: 'INIT and SIPI start three vCPUs at the page that the vector names, each with its APIC id',
  needs: NEEDS,
  async run(t) {
    const machine = t.machine(
      startedGuest(
        (a) => [startOthers(a), report(a, 0x600d), done(a)],
        (a) => {
          a.mov(eax, edi);
          reportEax(a);
          a.lock();
          a.inc(dword(COUNTER));
          haltForEver(a);
        },
      ),
    );
    const threads = await openAll(t, machine);
    for (const [id, thread] of threads.entries())
      assert.equal(await thread.call('getMpState'), id === 0 ? 'runnable' : 'uninitialized');
    for (const thread of threads) thread.start();
    assert.equal(await threads[0]!.report(), 0x600d);
    for (const id of [1, 2, 3]) assert.equal(await threads[id]!.report(), id);
  },
};

const oneOnly: ConformanceCase = {
  name: 'INIT and SIPI to one APIC id start that vCPU only',
  needs: NEEDS,
  async run(t) {
    const machine = t.machine(
      startedGuest(
        (a) => {
          a.mov(dword(APIC_ICR_HIGH), 2 << 24);
          a.mov(dword(APIC_ICR_LOW), 0x4500);
          delay(a, 1000, ecx);
          a.mov(dword(APIC_ICR_HIGH), 2 << 24);
          a.mov(dword(APIC_ICR_LOW), 0x4600 | (TRAMPOLINE >> 12));
          waitFor(a, COUNTER, 1);
          done(a);
        },
        (a) => {
          a.mov(eax, edi);
          reportEax(a);
          a.inc(dword(COUNTER));
          haltForEver(a);
        },
      ),
    );
    const threads = await openAll(t, machine);
    for (const thread of threads) thread.start();
    assert.equal(await threads[2]!.report(), 2);
    assert.equal((await threads[0]!.stopped()).exit.kind, 'io');
    for (const id of [1, 3]) {
      assert.equal((await threads[id]!.stop()).exit.kind, 'interrupted');
      assert.equal(await threads[id]!.call('getMpState'), 'uninitialized');
    }
  },
};

/** Increments with LOCK at FLAGS, and under a spin lock at FLAGS + 40h; then counts itself at FLAGS + 80h. */
function incrementTwice(a: Assembler, id: string, rounds: number): void {
  a.mov(ecx, rounds);
  a.label(`round ${id}`);
  a.lock();
  a.inc(dword(FLAGS));
  a.label(`acquire ${id}`);
  a.pause();
  a.mov(eax, 1);
  a.xchg(dword(LOCK), eax);
  a.test(eax, eax);
  a.jcc('ne', `acquire ${id}`);
  a.inc(dword(FLAGS + 0x40));
  a.mov(dword(LOCK), 0);
  a.dec(ecx);
  a.jcc('ne', `round ${id}`);
  a.lock();
  a.inc(dword(FLAGS + 0x80));
}

const lockedCounter: ConformanceCase = {
  name: 'locked increments from four vCPUs at once lose none, and a spin lock protects a plain counter',
  needs: NEEDS,
  async run(t) {
    const rounds = 5000;
    const machine = t.machine(
      startedGuest(
        (a) => {
          startOthers(a);
          incrementTwice(a, 'boot', rounds);
          waitFor(a, FLAGS + 0x80, VCPUS);
          done(a);
        },
        (a) => {
          a.lock();
          a.inc(dword(COUNTER));
          incrementTwice(a, 'others', rounds);
          haltForEver(a);
        },
      ),
    );
    const threads = await openAll(t, machine);
    for (const thread of threads) thread.start();
    assert.equal((await threads[0]!.stopped()).exit.kind, 'io');
    assert.equal(machine.memory.readU32(FLAGS), VCPUS * rounds);
    assert.equal(machine.memory.readU32(FLAGS + 0x40), VCPUS * rounds);
  },
};

type Waiting = 'spinning' | 'halted';

/** Sends PING to all others, in rounds, and waits for them to have counted it; reports how many PINGs arrived. */
function pingAll(a: Assembler, rounds: number, waiting: Waiting): void {
  startOthers(a);
  a.mov(esi, rounds);
  a.label('round');
  a.mov(dword(FLAGS), 0);
  a.mov(dword(APIC_ICR_LOW), FIXED_ALL_BUT_SELF | PING);
  a.label('wait');
  a.sti();
  // A PONG that arrives after the comparison is held back by STI's shadow until HLT waits for it.
  if (waiting === 'halted') a.hlt();
  else a.pause();
  a.cli();
  a.cmp(dword(FLAGS), VCPUS - 1);
  a.jcc('ne', 'wait');
  a.dec(esi);
  a.jcc('ne', 'round');
  a.mov(eax, dword(FLAGS + 0x40));
  reportEax(a);
  done(a);
  a.label('pong');
  lapicEoi(a);
  a.iret();
}

function answerPings(a: Assembler): void {
  a.lock();
  a.inc(dword(COUNTER));
  a.sti();
  haltForEver(a);
  a.label('ping');
  a.lock();
  a.inc(dword(FLAGS + 0x40));
  a.lock();
  a.inc(dword(FLAGS));
  lapicEoi(a);
  a.mov(dword(APIC_ICR_HIGH), 0);
  a.mov(dword(APIC_ICR_LOW), 0x4000 | PONG);
  a.iret();
}

function pingPong(name: string, waiting: Waiting, needs: readonly Feature[]): ConformanceCase {
  return {
    name,
    needs: [...NEEDS, ...needs],
    async run(t) {
      const rounds = 100;
      const vectors = { [PING]: 'ping', [PONG]: 'pong' };
      const machine = t.machine(startedGuest((a) => pingAll(a, rounds, waiting), answerPings, { vectors }));
      const threads = await openAll(t, machine);
      for (const thread of threads) thread.start();
      assert.equal(await threads[0]!.report(), rounds * (VCPUS - 1));
    },
  };
}

const nmiBetween: ConformanceCase = {
  name: 'an NMI IPI interrupts a vCPU that spins with IF clear',
  needs: NEEDS,
  async run(t) {
    const machine = t.machine(
      startedGuest(
        (a) => {
          startOthers(a);
          a.mov(dword(APIC_ICR_HIGH), 1 << 24);
          a.mov(dword(APIC_ICR_LOW), NMI_PHYSICAL);
          waitFor(a, FLAGS, 1);
          done(a);
        },
        (a) => {
          a.lock();
          a.inc(dword(COUNTER));
          a.label('spin');
          a.pause();
          a.jmp('spin');
          a.label('nmi');
          a.mov(eax, edi);
          reportEax(a);
          a.inc(dword(FLAGS));
          a.iret();
        },
        { vectors: { 2: 'nmi' } },
      ),
    );
    const threads = await openAll(t, machine);
    for (const thread of threads) thread.start();
    assert.equal(await threads[1]!.report(), 1);
    assert.equal((await threads[0]!.stopped()).exit.kind, 'io');
    for (const id of [2, 3]) assert.deepEqual(threads[id]!.takeReports(), []);
  },
};

const messagesToEach: ConformanceCase = {
  name: 'an MSI reaches the vCPU whose APIC id it names',
  needs: NEEDS,
  async run(t) {
    const machine = t.machine(
      startedGuest(
        (a) => [startOthers(a), report(a, 0x600d), a.sti(), haltForEver(a)],
        (a) => {
          a.lock();
          a.inc(dword(COUNTER));
          a.sti();
          haltForEver(a);
          a.label('ping');
          a.mov(eax, dword(APIC_ID));
          reportEax(a);
          lapicEoi(a);
          a.iret();
        },
        { vectors: { [PING]: 'ping' } },
      ),
    );
    const threads = await openAll(t, machine);
    for (const thread of threads) thread.start();
    assert.equal(await threads[0]!.report(), 0x600d);
    for (const id of [3, 0, 2, 1]) {
      assert.equal(machine.vm.signalMsi(msi(PING, id)), true);
      assert.equal(await threads[id]!.report(), id * 2 ** 24);
      for (const thread of threads) assert.deepEqual(thread.takeReports(), []);
    }
  },
};

export const smpCases: readonly ConformanceCase[] = [
  bringUp,
  oneOnly,
  lockedCounter,
  pingPong('IPIs wake three halted vCPUs and come back, a hundred times', 'spinning', []),
  pingPong('STI and HLT let no IPI slip in between, a hundred times', 'halted', ['interrupt-shadow']),
  nmiBetween,
  messagesToEach,
];
