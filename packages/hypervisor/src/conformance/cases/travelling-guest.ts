/**
 * A guest that is moved to and fro, at exits of every kind, while page faults and timer interrupts happen to it. What it
 * computes must be what it computes undisturbed.
 */
import assert from 'node:assert/strict';
import type { VcpuExit } from '../../exits.ts';
import {
  type Assembler,
  at,
  cr2,
  dword,
  eax,
  ecx,
  edi,
  edx,
  esi,
  qword,
  r12,
  rax,
  rbp,
  rbx,
  rdi,
  rsp,
  xmm0,
  xmm1,
} from '../assembler.ts';
import type { CaseContext } from '../case-context.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { answer, exitBytes, isDone } from '../exit-data.ts';
import {
  APIC_DIVIDE,
  APIC_INITIAL_COUNT,
  APIC_LVT_TIMER,
  done,
  enableLapic,
  lapicEoi,
  reportEax,
  reportWide,
  xorshift,
} from '../guest-code.ts';
import { DATA, MMIO, SPARE } from '../guest-layout.ts';
import { enableSse } from '../guest-vector.ts';
import type { Machine, MachineOptions } from '../machine.ts';
import type { Feature } from '../subject.ts';
import { moveToNewMachine } from './moves.ts';
import { ALL_RIGHTS, ENTRY_AT, entriesTo, mapRegion, REGION } from './page-window.ts';

const PORT = 0x70;
const VECTOR = 0x41;
const PERIODIC = 0x20000;
const PERIOD = 3_000_000;
const ROUNDS = 8;
/** Prime to the number of exits in a round, so that every kind of exit is moved at. */
const EXITS_BETWEEN_MOVES = 7;
const FRAMES = SPARE + 0x8000;
/** Below what is compared, as the stack is: interrupts come when they come. */
const TICKS = 0x6000;

interface Kind {
  readonly name: string;
  readonly needs: readonly Feature[];
  readonly start: (a: Assembler) => void;
  /** Takes part in a round: RBX is its number, RBP the address of its page. */
  readonly work: (a: Assembler) => void;
}

const INTEGER: Kind = {
  ...{ name: 'an integer guest', needs: [] },
  start() {},
  work: (a) => a.mov(qword(rbp, 0x10), rbx),
};

const VECTOR_KIND: Kind = {
  name: 'an SSE and x87 guest',
  needs: ['sse', 'x87'],
  start(a) {
    enableSse(a);
    a.fninit();
    a.fldpi();
    a.pxor(xmm0, xmm0);
  },
  work(a) {
    a.movq(xmm1, rbx);
    a.paddq(xmm0, xmm1);
    a.movups(at(rbp, 0x10), xmm0);
    a.fld1();
    a.faddp();
    // Not FXSAVE, which has pointers and masks that vendors differ in.
    a.fstpExtended(at(rbp, 0x40));
    a.fldExtended(at(rbp, 0x40));
  },
};

/** Of 64 rounds of xorshift, in RBX. */
function scramble(a: Assembler): void {
  a.mov(ecx, 64);
  a.label('scramble');
  xorshift(a, rbx, rax);
  a.dec(ecx);
  a.jcc('ne', 'scramble');
}

/** An exit of each kind. */
function exits(a: Assembler): void {
  a.in(eax, PORT);
  a.add(rbx, rax);
  a.mov(rax, qword(MMIO));
  a.xor(rbx, rax);
  a.mov(qword(MMIO + 8), rbx);
  a.add(dword(MMIO + 4094), eax); // two reads and two writes
  a.mov(esi, DATA);
  a.mov(edx, PORT);
  a.mov(ecx, 3);
  a.rep();
  a.outs(8);
  a.mov(eax, ecx);
  reportEax(a);
}

function guest({ start, work }: Kind): MachineOptions {
  return {
    interruptControllers: 'in-kernel',
    code(a) {
      enableLapic(a);
      start(a);
      a.mov(dword(APIC_DIVIDE), 0xb); // by 1
      a.mov(dword(APIC_LVT_TIMER), PERIODIC | VECTOR);
      a.mov(dword(APIC_INITIAL_COUNT), PERIOD);
      a.mov(rbx, 0x1234_5678_9abc_def1n);
      a.mov(rbp, REGION);
      a.mov(r12, ROUNDS);
      a.label('round');
      scramble(a);
      work(a);
      exits(a);
      a.sti();
      a.hlt(); // for a tick, on whatever machine this is
      a.cli();
      a.add(rbp, 0x1000);
      a.dec(r12);
      a.jcc('ne', 'round');
      reportWide(a, rbx);
      done(a);
      handlers(a);
    },
    vectors: { 14: 'page fault', [VECTOR]: 'tick' },
  };
}

/** Maps the page of the region that is missing; counts a tick. */
function handlers(a: Assembler): void {
  a.label('page fault');
  a.push(rax);
  a.mov(rax, cr2);
  a.shr(eax, 12);
  a.mov(edi, eax);
  a.shl(eax, 12);
  a.add(eax, FRAMES | Number(ALL_RIGHTS));
  a.mov(qword({ index: rdi, scale: 8, displacement: ENTRY_AT.table }), rax);
  a.pop(rax);
  a.add(rsp, 8);
  a.iret();
  a.label('tick');
  a.inc(qword(TICKS));
  lapicEoi(a);
  a.iret();
}

/** Answers the same, wherever the guest is, and keeps what it writes. */
class Devices {
  readonly written: number[] = [];
  #next = 0x1357_9bdfn;

  serve(exit: VcpuExit): boolean {
    if (exit.kind !== 'io' && exit.kind !== 'mmio') return false;
    if (exit.direction === 'out' || exit.direction === 'write') {
      // Accelerators differ in how many items of a string they bring at a time.
      this.written.push(...exitBytes(exit));
    } else {
      this.#next = BigInt.asUintN(64, this.#next * 0x5851_f42d_4c95_7f2dn + 1n);
      answer(exit, this.#next);
    }
    return true;
  }
}

/** Plays the guest, and moves it where `moves` says so: to the other side and back. */
class Journey {
  readonly devices = new Devices();
  machine: Machine;
  moves = 0;
  readonly #options: MachineOptions;
  readonly #movesAt: (exit: VcpuExit, count: number) => boolean;
  #side: CaseContext;

  constructor(t: CaseContext, options: MachineOptions, movesAt: (exit: VcpuExit, count: number) => boolean) {
    this.#side = t;
    this.#options = options;
    this.#movesAt = movesAt;
    this.machine = t.machine(options);
    mapRegion(this.machine, { ...entriesTo(DATA), table: 0n });
  }

  /** To the end of the guest. */
  run(): void {
    for (let count = 1; ; count++) {
      const exit = this.machine.runOnce();
      if (isDone(exit)) return;
      const moves = this.#movesAt(exit, count);
      if (exit.kind !== 'interrupted' && !this.devices.serve(exit))
        throw this.machine.unexpected(exit, 'an access to a device');
      if (moves) this.#move();
    }
  }

  /** What the guest leaves behind, but for what interrupts do to the stack and the walk to page tables. */
  memory(): Buffer {
    const parts = [
      this.machine.memory.view(DATA, 0x10000),
      this.machine.memory.view(FRAMES, ROUNDS * 0x1000),
    ];
    return Buffer.concat(parts);
  }

  #move(): void {
    const { cpu } = this.machine;
    for (;;) {
      const exit = cpu.completeExit();
      if (exit.kind === 'interrupted') break;
      assert.ok(this.devices.serve(exit));
    }
    const kicks = this.moves % 4 === 0;
    this.machine = moveToNewMachine(this.#side, this.machine, this.#options);
    this.#side = this.#side.destination;
    if (kicks) this.machine.handle(0).kick();
    this.moves++;
  }
}

function travelling(kind: Kind): ConformanceCase {
  return {
    name: `${kind.name} that is moved to and fro computes what it computes undisturbed`,
    needs: ['in-kernel-interrupt-controllers', ...kind.needs],
    run(t) {
      const options = guest(kind);
      const undisturbed = new Journey(t, options, () => false);
      undisturbed.run();
      // After a kick, too, which the new machine answers first.
      const moved = new Journey(
        t,
        options,
        (exit, count) => exit.kind === 'interrupted' || count % EXITS_BETWEEN_MOVES === 0,
      );
      moved.run();
      t.note(`${moved.moves} moves`);
      assert.ok(moved.moves >= ROUNDS, `${moved.moves} moves`);
      assert.deepEqual(moved.devices.written, undisturbed.devices.written);
      assert.equal(Buffer.compare(moved.memory(), undisturbed.memory()), 0, 'the memories differ');
      assert.ok(moved.machine.memory.readU64(TICKS) >= BigInt(ROUNDS));
    },
  };
}

export const travellerCases: readonly ConformanceCase[] = [travelling(INTEGER), travelling(VECTOR_KIND)];
