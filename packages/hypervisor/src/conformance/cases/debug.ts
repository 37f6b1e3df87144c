/** Stops that a debugger asks for, and the guest's own debug registers (Intel SDM Vol. 3B §17.2 "Debug Registers"). */
import assert from 'node:assert/strict';
import type { HardwareBreakpoint } from '../../contract.ts';
import type { DebugExit } from '../../exits.ts';
import {
  type Assembler,
  al,
  byte,
  dr0,
  dr6,
  dr7,
  dword,
  eax,
  ebx,
  ecx,
  edx,
  esi,
  qword,
  rax,
  rbx,
  rsp,
  word,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { exitValue } from '../exit-data.ts';
import { done, report, reportEax } from '../guest-code.ts';
import { CODE, DATA } from '../guest-layout.ts';
import type { Machine, MachineOptions } from '../machine.ts';

const DB = 1;
const BP = 3;
const DR6_SINGLE_STEP = 1n << 14n;
const DR6_HITS = 0xfn;
const FLAG_TRAP = 0x100;
const FLAG_RESUME = 1n << 16n;

/** Runs to the next debug stop. */
function stop(machine: Machine): DebugExit {
  return machine.expect('debug');
}

function address(machine: Machine, label: string): bigint {
  return BigInt(machine.program.address(label));
}

const steps: ConformanceCase = {
  name: 'single steps stop after each instruction, with its registers',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, 5);
        a.label('1');
        a.add(eax, 6);
        a.label('2');
        a.jmp('3');
        a.ud2();
        a.label('3');
        a.push(rax);
        a.label('4');
        a.pop(rbx);
        a.label('5');
        done(a);
      },
    });
    const { cpu } = machine;
    cpu.setGuestDebug({ singleStep: true });
    const expected: [label: string, rax: bigint, rbx: bigint][] = [
      ['1', 5n, 0n],
      ['2', 11n, 0n],
      ['3', 11n, 0n],
      ['4', 11n, 0n],
      ['5', 11n, 11n],
    ];
    for (const [label, a, b] of expected) {
      const exit = stop(machine);
      assert.equal(exit.exception, DB);
      assert.equal(exit.pc, address(machine, label));
      assert.equal(exit.dr6 & DR6_SINGLE_STEP, DR6_SINGLE_STEP);
      const { rip, rax: ra, rbx: rb, rflags } = cpu.getRegisters();
      assert.deepEqual([rip, ra, rb], [exit.pc, a, b]);
      assert.equal(rflags & BigInt(FLAG_TRAP), 0n, 'the trap flag is not the guest’s');
    }
    cpu.setGuestDebug({});
    machine.expectDone();
  },
};

const stepsThroughIo: ConformanceCase = {
  name: 'a single step over IN is the I/O exit and then the stop',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        a.in(al, 0x60);
        a.label('after');
        a.nop();
        done(a);
      },
    });
    machine.cpu.setGuestDebug({ singleStep: true });
    machine.expectIo('in', 0x60).data.setUint8(0, 0x99);
    assert.equal(stop(machine).pc, address(machine, 'after'));
    assert.equal(machine.cpu.getRegisters().rax, 0x99n);
    machine.cpu.setGuestDebug({});
    machine.expectDone();
  },
};

const stepsRealMode: ConformanceCase = {
  name: 'single steps in real mode, across a far jump',
  run(t) {
    const machine = t.machine({
      mode: 'real',
      code(a) {
        a.nop();
        a.label('jump');
        a.jmpFar(0x100, CODE - 0x1000 + 0x20);
        a.org(CODE + 0x20);
        a.label('landed');
        a.inc(eax);
        a.label('after');
        done(a);
      },
    });
    machine.cpu.setGuestDebug({ singleStep: true });
    // The stop's pc is linear, the instruction pointer is not.
    for (const label of ['jump', 'landed', 'after']) assert.equal(stop(machine).pc, address(machine, label));
    assert.equal(machine.cpu.getRegisters().rip, address(machine, 'after') - 0x1000n);
    machine.cpu.setGuestDebug({});
    machine.expectDone();
  },
};

function executeAt(machine: Machine, label: string): HardwareBreakpoint {
  return { address: address(machine, label), condition: 'execute', lengthBytes: 1 };
}

function checkExecuteStop(machine: Machine, label: string, index: number): void {
  const exit = stop(machine);
  assert.equal(exit.exception, DB);
  assert.equal(exit.pc, address(machine, label));
  assert.equal(exit.dr6 & DR6_HITS, BigInt(1 << index));
  assert.equal(machine.cpu.getRegisters().rip, exit.pc);
}

/** On string I/O, which KVM emulates and where it looks for breakpoints itself: on any processor. */
const executeEmulated: ConformanceCase = {
  name: 'execute breakpoints stop before string I/O; taken away, the guest goes on',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(esi, DATA);
        a.mov(edx, 0x80);
        a.label('first');
        a.outs(8);
        a.nop();
        a.label('second');
        a.outs(8);
        done(a);
      },
    });
    const { cpu } = machine;
    machine.memory.write(DATA, Uint8Array.of(0x11, 0x22));
    const [first, second] = [executeAt(machine, 'first'), executeAt(machine, 'second')];
    cpu.setGuestDebug({ hardwareBreakpoints: [first, second] });
    checkExecuteStop(machine, 'first', 0);
    cpu.setGuestDebug({ hardwareBreakpoints: [second] });
    assert.equal(exitValue(machine.expectIo('out', 0x80)), 0x11n);
    checkExecuteStop(machine, 'second', 0);
    cpu.setGuestDebug({});
    assert.equal(exitValue(machine.expectIo('out', 0x80)), 0x22n);
    machine.expectDone();
  },
};

const execute: ConformanceCase = {
  name: 'execute breakpoints stop before their instruction; the resume flag passes over one',
  needs: ['hardware-debug'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, 0);
        a.label('first');
        a.inc(eax);
        a.nop();
        a.label('second');
        a.inc(eax);
        done(a);
      },
    });
    const { cpu } = machine;
    const labels = ['first', 'second'];
    cpu.setGuestDebug({ hardwareBreakpoints: labels.map((label) => executeAt(machine, label)) });
    for (const [i, label] of labels.entries()) {
      checkExecuteStop(machine, label, i);
      const registers = cpu.getRegisters();
      assert.equal(registers.rax, BigInt(i));
      cpu.setRegisters({ ...registers, rflags: registers.rflags | FLAG_RESUME });
    }
    machine.expectDone();
  },
};

interface Watched {
  readonly lengthBytes: 1 | 2 | 4 | 8;
  readonly memory: typeof byte;
}

const LENGTHS: readonly Watched[] = [
  { lengthBytes: 1, memory: byte },
  { lengthBytes: 2, memory: word },
  { lengthBytes: 4, memory: dword },
  { lengthBytes: 8, memory: qword },
];

function watchpoint({ lengthBytes, memory }: Watched, condition: 'write' | 'read-write'): ConformanceCase {
  return {
    name: `a ${condition} watchpoint of ${lengthBytes} bytes stops after the access, and not beside it`,
    needs: ['hardware-debug'],
    run(t) {
      const watched = DATA + 0x40;
      const machine = t.machine({
        code(a) {
          a.mov(ebx, 7);
          a.mov(byte(watched - 1), 1);
          a.mov(byte(watched + lengthBytes), 1);
          a.mov(eax, dword(watched + lengthBytes)); // beside it
          a.mov(al, byte(watched));
          a.label('read');
          a.inc(memory(watched));
          a.label('written');
          a.mov(byte(watched + lengthBytes - 1), 3);
          a.label('last byte');
          done(a);
        },
      });
      const breakpoint = { address: BigInt(watched), condition, lengthBytes };
      machine.cpu.setGuestDebug({ hardwareBreakpoints: [breakpoint] });
      const labels = condition === 'write' ? ['written', 'last byte'] : ['read', 'written', 'last byte'];
      for (const label of labels) {
        const exit = stop(machine);
        assert.equal(exit.pc, address(machine, label));
        assert.equal(exit.dr6 & DR6_HITS, 1n);
      }
      machine.expectDone();
    },
  };
}

const fourAtOnce: ConformanceCase = {
  name: 'four watchpoints at once: DR6 names the one that was hit',
  needs: ['hardware-debug'],
  run(t) {
    const machine = t.machine({
      code(a) {
        for (const i of [2, 0, 3, 1]) a.mov(dword(DATA + i * 16), i);
        done(a);
      },
    });
    machine.cpu.setGuestDebug({
      hardwareBreakpoints: [0, 1, 2, 3].map((i) => {
        return { address: BigInt(DATA + i * 16), condition: 'write', lengthBytes: 4 };
      }),
    });
    for (const i of [2, 0, 3, 1]) assert.equal(stop(machine).dr6 & DR6_HITS, BigInt(1 << i));
    machine.expectDone();
  },
};

const INT3_GUEST: MachineOptions = {
  code(a) {
    a.mov(eax, 1);
    a.label('int3');
    a.int3();
    a.label('after');
    report(a, 2);
    done(a);
    a.label('handler');
    report(a, BP);
    a.iret();
  },
  vectors: { [BP]: 'handler' },
};

const int3: ConformanceCase = {
  name: 'INT3 is a debug exit at the instruction when asked for, the guest’s own exception when not',
  needs: ['software-breakpoints'],
  run(t) {
    const machine = t.machine(INT3_GUEST);
    const { cpu } = machine;
    cpu.setGuestDebug({ softwareBreakpoints: true });
    const exit = stop(machine);
    assert.equal(exit.exception, BP);
    assert.equal(exit.pc, address(machine, 'int3'));
    assert.equal(cpu.getRegisters().rip, address(machine, 'int3'));
    // As a debugger does it: let the guest have it after all.
    cpu.setGuestDebug({});
    assert.deepEqual(machine.finish(), [BP, 2]);
  },
};

const patched: ConformanceCase = {
  name: 'a breakpoint that the host writes over an instruction is hit, and taken back',
  needs: ['software-breakpoints'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(ecx, 3);
        a.label('round');
        a.inc(ebx);
        a.dec(ecx);
        a.jcc('ne', 'round');
        a.mov(eax, ebx);
        reportEax(a);
        done(a);
      },
    });
    const { cpu, memory } = machine;
    const round = machine.program.address('round');
    const original = memory.readU8(round);
    memory.writeU8(round, 0xcc);
    cpu.setGuestDebug({ softwareBreakpoints: true });
    assert.equal(stop(machine).pc, BigInt(round));
    memory.writeU8(round, original);
    assert.deepEqual(machine.finish(), [3]);
  },
};

/** A #DB handler that reports DR6 and where it happened, and clears DR6. */
function debugHandler(a: Assembler): void {
  a.label('debug');
  a.push(rax);
  a.mov(rax, dr6);
  a.and(eax, 0xe00f);
  reportEax(a);
  a.mov(rax, qword(rsp, 8));
  reportEax(a);
  a.mov(eax, 0);
  a.mov(dr6, rax);
  a.pop(rax);
  a.iret();
}

const guestTrap: ConformanceCase = {
  name: 'the guest steps itself with its trap flag',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.pushf();
        a.or(dword(rsp), FLAG_TRAP);
        a.popf();
        a.nop(); // the first instruction with the flag set
        a.label('after');
        done(a);
        a.label('debug');
        a.mov(rax, dr6);
        a.and(eax, 0xe00f);
        reportEax(a);
        a.pop(rax);
        reportEax(a);
        done(a);
      },
      vectors: { [DB]: 'debug' },
    });
    assert.deepEqual(machine.finish(), [Number(DR6_SINGLE_STEP), machine.program.address('after')]);
  },
};

const guestRegisters: ConformanceCase = {
  name: 'the guest’s own watchpoint is its own #DB, with DR6',
  needs: ['hardware-debug'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, DATA);
        a.mov(dr0, rax);
        a.mov(eax, 0x000d0402); // DR0 global, writes, 4 bytes
        a.mov(dr7, rax);
        a.mov(dword(DATA), eax);
        a.label('after');
        report(a, 0x600d);
        done(a);
        debugHandler(a);
      },
      vectors: { [DB]: 'debug' },
    });
    assert.deepEqual(machine.finish(), [1, machine.program.address('after'), 0x600d]);
    const { addresses, dr7: control } = machine.cpu.getDebugRegisters();
    assert.equal(addresses[0], BigInt(DATA));
    assert.equal(control, 0xd0402n);
  },
};

const hostSets: ConformanceCase = {
  name: 'debug registers that the host sets are the guest’s, and work',
  needs: ['hardware-debug'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rax, dr0);
        reportEax(a);
        a.mov(rax, dr7);
        reportEax(a);
        a.mov(esi, 0);
        a.label('here');
        a.inc(esi);
        report(a, 0x600d);
        done(a);
        a.label('debug');
        report(a, DB);
        done(a);
      },
      vectors: { [DB]: 'debug' },
    });
    const here = machine.program.address('here');
    const { cpu } = machine;
    const registers = cpu.getDebugRegisters();
    cpu.setDebugRegisters({ ...registers, addresses: [BigInt(here), 1n, 2n, 3n], dr7: 0x402n });
    assert.deepEqual(cpu.getDebugRegisters().addresses, [BigInt(here), 1n, 2n, 3n]);
    assert.deepEqual(machine.finish(), [here, 0x402, DB]);
  },
};

const debuggerLeaves: ConformanceCase = {
  name: 'the guest’s debug registers are back when the debugger is gone',
  needs: ['hardware-debug'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(dword(DATA + 0x100), eax); // the debugger's watchpoint
        a.label('stopped');
        a.mov(dword(DATA), eax); // the guest's
        done(a);
        debugHandler(a);
      },
      vectors: { [DB]: 'debug' },
    });
    const { cpu } = machine;
    const registers = cpu.getDebugRegisters();
    cpu.setDebugRegisters({ ...registers, addresses: [BigInt(DATA), 0n, 0n, 0n], dr7: 0x000d0402n });
    cpu.setGuestDebug({
      hardwareBreakpoints: [{ address: BigInt(DATA + 0x100), condition: 'write', lengthBytes: 4 }],
    });
    assert.equal(stop(machine).pc, address(machine, 'stopped'));
    assert.equal(cpu.getRegisters().rip, BigInt(machine.program.address('stopped')));
    cpu.setGuestDebug({});
    const [hits, at] = machine.finish();
    assert.equal(hits, 1);
    assert.ok(at! > CODE);
  },
};

export const debugCases: readonly ConformanceCase[] = [
  steps,
  stepsThroughIo,
  stepsRealMode,
  executeEmulated,
  execute,
  ...LENGTHS.flatMap((length) => [watchpoint(length, 'write'), watchpoint(length, 'read-write')]),
  fourAtOnce,
  int3,
  patched,
  guestTrap,
  guestRegisters,
  hostSets,
  debuggerLeaves,
];
