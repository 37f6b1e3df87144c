/** What moves with a guest besides its computation: clocks, model-specific and debug registers, an APIC in x2APIC mode. */
import assert from 'node:assert/strict';
import type { CpuidEntry } from '../../vcpu-state.ts';
import { type Assembler, al, dr0, dr1, dr2, dr3, ecx, edx, fs, gs, qword, rax, rdx } from '../assembler.ts';
import type { CaseContext } from '../case-context.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { delay, done, joinEdxEax, report, reportWide, wideReports, writeMsr } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';
import type { Machine, MachineOptions } from '../machine.ts';
import { moveToNewMachine } from './moves.ts';

const PORT = 0x70;
const SYSTEM_TIME_MSR = 0x4b564d01;
const APIC_BASE = 0x1b;
const X2APIC_ENABLED = 0xfee00000n | (3n << 10n);
const X2APIC_SPURIOUS = 0x80f;
const X2APIC_EOI = 0x80b;
const X2APIC_LVT_TIMER = 0x832;
const X2APIC_SELF_IPI = 0x83f;
const TSC_DEADLINE = 0x6e0;
const TSC_DEADLINE_CPUID = 1 << 24;
const LVT_TSC_DEADLINE = 2n << 17n;
const VECTOR = 0x61;
const TIMER_VECTOR = 0x72;

/** Runs to the guest's OUT, and moves it. */
function moveAtPort(t: CaseContext, machine: Machine, options: MachineOptions): Machine {
  machine.expectIo('out', PORT);
  machine.cpu.completeExit();
  return moveToNewMachine(t, machine, options);
}

function reportTsc(a: Assembler): void {
  a.rdtsc();
  joinEdxEax(a);
  reportWide(a, rax);
}

/** What the structure at `DATA` says at this value of the TSC (Linux, "KVM-specific MSRs", struct pvclock_vcpu_time_info). */
function timeAt(machine: Machine, tsc: bigint): bigint {
  const { memory } = machine;
  // It may have been written again since, and count from before the TSC's 0.
  const since = BigInt.asIntN(64, tsc - memory.readU64(DATA + 8));
  const shift = (memory.readU8(DATA + 28) << 24) >> 24;
  const scaled = shift < 0 ? since >> BigInt(-shift) : since << BigInt(shift);
  return memory.readU64(DATA + 16) + ((scaled * BigInt(memory.readU32(DATA + 24))) >> 32n);
}

const clocks: ConformanceCase = {
  name: 'time goes on after a move: kvmclock and the TSC do not go back',
  needs: ['kvmclock'],
  run(t) {
    const options: MachineOptions = {
      code(a) {
        writeMsr(a, SYSTEM_TIME_MSR, BigInt(DATA | 1), ecx, edx);
        reportTsc(a);
        a.out(PORT, al);
        reportTsc(a);
        done(a);
      },
    };
    const first = t.machine(options);
    first.vm.setClock({ version: 1, nanoseconds: 5_000_000_000_000n });
    const reports = [first.expectIo('out', 0xf0), first.expectIo('out', 0xf0)];
    assert.equal(reports.length, 2);
    const before = first.vm.getClock().nanoseconds;
    const second = moveAtPort(t, first, options);
    const [tsc] = wideReports(second.finish());
    const now = timeAt(second, tsc!);
    assert.ok(now >= before && now < before + 60_000_000_000n, `${before} ns, then ${now} ns`);
  },
};

/** Of each that system software writes, a value that it can have. */
const MSRS: readonly (readonly [index: number, value: bigint])[] = [
  [0x174, 0x18n], // SYSENTER_CS
  [0x175, 0x9234_5678n], // SYSENTER_ESP and SYSENTER_EIP: of 32 bits on AMD's processors
  [0x176, 0x8fed_cba9n],
  [0xc0000081, 0x0023_0010_8765_4321n], // STAR
  [0xc0000082, 0xffff_ffff_8123_4567n], // LSTAR
  [0xc0000084, 0x47700n], // FMASK
  [0xc0000102, 0xffff_8880_0000_1000n], // KERNEL_GS_BASE
  [0x277, 0x0007_0406_0007_0106n], // PAT
];

const modelSpecific: ConformanceCase = {
  name: 'model-specific registers that the guest wrote read the same after a move',
  run(t) {
    const options: MachineOptions = {
      code(a) {
        for (const [index, value] of MSRS) writeMsr(a, index, value, ecx, edx);
        a.out(PORT, al);
        for (const [index] of MSRS) {
          a.mov(ecx, index);
          a.rdmsr();
          joinEdxEax(a);
          reportWide(a, rax);
        }
        done(a);
      },
    };
    const second = moveAtPort(t, t.machine(options), options);
    assert.deepEqual(
      wideReports(second.finish()),
      MSRS.map(([, value]) => value),
    );
  },
};

const DEBUG_VALUES = [0x1234n, 0xffff_8000_0000_0001n, 0x7fff_ffff_fff8n, 0x1fff_0000_0ff0n];

const bases: ConformanceCase = {
  name: 'FS and GS bases and debug registers are the same after a move',
  run(t) {
    const debug = [dr0, dr1, dr2, dr3];
    const options: MachineOptions = {
      code(a) {
        writeMsr(a, 0xc0000100, BigInt(DATA), ecx, edx);
        writeMsr(a, 0xc0000101, BigInt(DATA + 8), ecx, edx);
        for (const [i, register] of debug.entries()) {
          a.mov(rax, DEBUG_VALUES[i]!);
          a.mov(register, rax);
        }
        a.out(PORT, al);
        for (const segment of [fs, gs]) {
          a.mov(rax, qword({ displacement: 0, segment }));
          reportWide(a, rax);
        }
        for (const register of debug) {
          a.mov(rax, register);
          reportWide(a, rax);
        }
        done(a);
      },
    };
    const machine = t.machine(options);
    machine.memory.writeU64(DATA, 0xf5n);
    machine.memory.writeU64(DATA + 8, 0x65n);
    const second = moveAtPort(t, machine, options);
    assert.deepEqual(wideReports(second.finish()), [0xf5n, 0x65n, ...DEBUG_VALUES]);
  },
};

function x2apicGuest(before: (a: Assembler) => void, vector: number): MachineOptions {
  return {
    interruptControllers: 'in-kernel',
    code(a) {
      writeMsr(a, APIC_BASE, X2APIC_ENABLED | (1n << 8n), ecx, edx);
      writeMsr(a, X2APIC_SPURIOUS, 0x1ffn, ecx, edx);
      before(a);
      a.out(PORT, al);
      a.sti();
      a.hlt();
      a.cli();
      done(a);
      a.label('handler');
      report(a, vector);
      writeMsr(a, X2APIC_EOI, 0n, ecx, edx);
      a.iret();
    },
    vectors: { [vector]: 'handler' },
  };
}

const x2apic: ConformanceCase = {
  name: 'an interrupt that waits in an APIC in x2APIC mode is taken after a move',
  needs: ['in-kernel-interrupt-controllers', 'x2apic'],
  run(t) {
    const options = x2apicGuest((a) => {
      writeMsr(a, X2APIC_SELF_IPI, BigInt(VECTOR), ecx, edx);
      delay(a, 10, ecx);
    }, VECTOR);
    const second = moveAtPort(t, t.machine(options), options);
    assert.deepEqual(second.finish(), [VECTOR]);
  },
};

const deadline: ConformanceCase = {
  name: 'a TSC deadline that has not come fires after a move',
  needs: ['in-kernel-interrupt-controllers', 'x2apic', 'tsc-deadline'],
  run(t) {
    const options = x2apicGuest((a) => {
      writeMsr(a, X2APIC_LVT_TIMER, LVT_TSC_DEADLINE | BigInt(TIMER_VECTOR), ecx, edx);
      a.mov(ecx, TSC_DEADLINE);
      a.rdtsc();
      joinEdxEax(a);
      a.add(rax, 300_000_000);
      a.mov(rdx, rax);
      a.shr(rdx, 32);
      a.wrmsr();
    }, TIMER_VECTOR);
    const cpuid = (entries: CpuidEntry[]) =>
      entries.map((it) => (it.leaf === 1 ? { ...it, ecx: (it.ecx | TSC_DEADLINE_CPUID) >>> 0 } : it));
    const second = moveAtPort(t, t.machine({ ...options, cpuid }), options);
    assert.deepEqual(second.finish(), [TIMER_VECTOR]);
  },
};

export const movedRegisterCases: readonly ConformanceCase[] = [
  clocks,
  modelSpecific,
  bases,
  x2apic,
  deadline,
];
