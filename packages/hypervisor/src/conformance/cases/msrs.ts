/** Model-specific registers, between host and guest (Intel SDM Vol. 4 §2.1 "Architectural MSRs"). */
import assert from 'node:assert/strict';
import { type Assembler, dword, eax, ecx, edx, rax, rdx } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, reportEax, reportWide, wideReports } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';

interface Msr {
  readonly name: string;
  readonly index: number;
  readonly fromHost: bigint;
  readonly fromGuest: bigint;
}

const MSRS: readonly Msr[] = [
  { name: 'STAR', index: 0xc0000081, fromHost: 0x0023_0010_1234_5678n, fromGuest: 0x001b_0008_0000_0000n },
  { name: 'LSTAR', index: 0xc0000082, fromHost: 0xffff_ffff_8100_0000n, fromGuest: 0x7fff_1234_5678n },
  { name: 'CSTAR', index: 0xc0000083, fromHost: 0xffff_8000_0000_1000n, fromGuest: 0x1000n },
  { name: 'SFMASK', index: 0xc0000084, fromHost: 0x4_7700n, fromGuest: 0x200n },
  { name: 'FS_BASE', index: 0xc0000100, fromHost: 0x7fff_0000_1000n, fromGuest: 0xffff_8880_0000_0000n },
  { name: 'GS_BASE', index: 0xc0000101, fromHost: 0xffff_8880_0000_0000n, fromGuest: 0x2000n },
  { name: 'KERNEL_GS_BASE', index: 0xc0000102, fromHost: 0xffff_ffff_ffff_f000n, fromGuest: 0x3000n },
  { name: 'PAT', index: 0x277, fromHost: 0x0007_0106_0007_0106n, fromGuest: 0x0407_0506_0007_0106n },
  { name: 'SYSENTER_CS', index: 0x174, fromHost: 0x10n, fromGuest: 0x18n },
  // AMD's processors keep 32 bits of these two.
  { name: 'SYSENTER_ESP', index: 0x175, fromHost: 0xc000_0010n, fromGuest: 0x9000n },
  { name: 'SYSENTER_EIP', index: 0x176, fromHost: 0x8123_4560n, fromGuest: 0xa000n },
  { name: 'MISC_ENABLE', index: 0x1a0, fromHost: 0x1n, fromGuest: 0x1n },
];

/** RDMSR, reported; WRMSR of another value; RDMSR again. */
function exchange(a: Assembler, index: number, value: bigint): void {
  readMsr(a, index);
  reportWide(a, rax);
  a.mov(ecx, index);
  a.mov(eax, Number(value & 0xffffffffn));
  a.mov(edx, Number(value >> 32n));
  a.wrmsr();
  readMsr(a, index);
  reportWide(a, rax);
  done(a);
}

function readMsr(a: Assembler, index: number): void {
  a.mov(ecx, index);
  a.rdmsr();
  a.shl(rdx, 32);
  a.or(rax, rdx);
}

const roundTrips = MSRS.map(({ name, index, fromHost, fromGuest }): ConformanceCase => {
  return {
    name: `${name}: the guest reads what the host set, the host what the guest set`,
    run(t) {
      const machine = t.machine({ code: (a) => exchange(a, index, fromGuest) });
      const { cpu } = machine;
      cpu.setMsrs([{ index, value: fromHost }]);
      assert.deepEqual(cpu.getMsrs([index]), [{ index, value: fromHost }]);
      assert.deepEqual(wideReports(machine.finish()), [fromHost, fromGuest]);
      assert.deepEqual(cpu.getMsrs([index]), [{ index, value: fromGuest }]);
    },
  };
});

const EFER = 0xc0000080;

const efer: ConformanceCase = {
  name: 'EFER is one register: as an MSR, among the special registers, and in the guest',
  run(t) {
    const machine = t.machine({
      code(a) {
        readMsr(a, EFER);
        reportEax(a);
        a.or(eax, 0x800); // NXE
        a.mov(edx, 0);
        a.wrmsr();
        done(a);
      },
    });
    const { cpu } = machine;
    cpu.setMsrs([{ index: EFER, value: 0x501n }]); // LMA, LME, SCE
    assert.equal(cpu.getSpecialRegisters().efer, 0x501n);
    assert.deepEqual(machine.finish(), [0x501]);
    assert.deepEqual(cpu.getMsrs([EFER]), [{ index: EFER, value: 0xd01n }]);
    assert.equal(cpu.getSpecialRegisters().efer, 0xd01n);
  },
};

const bases: ConformanceCase = {
  name: 'FS_BASE is the base of FS',
  run(t) {
    const machine = t.machine({ code: done });
    const { cpu } = machine;
    cpu.setMsrs([{ index: 0xc0000100, value: 0x1234_5000n }]);
    assert.equal(cpu.getSpecialRegisters().fs.base, 0x1234_5000n);
    machine.expectDone();
  },
};

const UNKNOWN = 0xdead;

const unknown: ConformanceCase = {
  name: 'getMsrs leaves unknown MSRs out; setMsrs refuses one, naming it',
  run(t) {
    const machine = t.machine({ code: done });
    const { cpu } = machine;
    const known = 0x174;
    assert.deepEqual(
      cpu.getMsrs([UNKNOWN, known, UNKNOWN + 1]).map(({ index }) => index),
      [known],
    );
    assert.throws(
      () =>
        cpu.setMsrs([
          { index: known, value: 1n },
          { index: UNKNOWN, value: 0n },
        ]),
      /0xdead/,
    );
    assert.deepEqual(cpu.getMsrs([]), []);
    machine.expectDone();
  },
};

const TSC = 0x10;

const tsc: ConformanceCase = {
  name: 'the TSC goes on from what the host and the guest set',
  run(t) {
    const base = 1n << 50n;
    const machine = t.machine({
      code(a) {
        a.rdtsc();
        a.shl(rdx, 32);
        a.or(rax, rdx);
        reportWide(a, rax);
        a.rdtsc();
        a.shl(rdx, 32);
        a.or(rax, rdx);
        reportWide(a, rax);
        a.mov(ecx, TSC);
        a.mov(eax, 0);
        a.mov(edx, 0x80000); // 2^51
        a.wrmsr();
        a.rdtsc();
        a.shl(rdx, 32);
        a.or(rax, rdx);
        reportWide(a, rax);
        done(a);
      },
    });
    const { cpu } = machine;
    cpu.setMsrs([{ index: TSC, value: base }]);
    const [first, second, third] = wideReports(machine.finish()) as [bigint, bigint, bigint];
    assert.ok(first >= base && first < base + (1n << 44n), `first ${first}`);
    assert.ok(second > first, 'it goes on');
    assert.ok(third >= 2n * base && third < 2n * base + (1n << 44n), `third ${third}`);
    assert.ok(cpu.getMsrs([TSC])[0]!.value >= third);
  },
};

const manyAtOnce: ConformanceCase = {
  name: 'many MSRs in one call',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(dword(DATA), eax);
        done(a);
      },
    });
    const { cpu } = machine;
    const msrs = MSRS.map(({ index, fromHost }) => ({ index, value: fromHost }));
    cpu.setMsrs(msrs);
    assert.deepEqual(cpu.getMsrs(msrs.map(({ index }) => index)), msrs);
    machine.expectDone();
  },
};

export const msrCases: readonly ConformanceCase[] = [...roundTrips, efer, bases, tsc, unknown, manyAtOnce];
