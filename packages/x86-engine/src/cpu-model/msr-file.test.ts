import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { APIC_TPR } from '../interrupts/lapic-registers.ts';
import { TestMachine } from '../interrupts/testing/test-controllers.ts';
import { type ApicMsrs, MsrFile, type MsrHost } from './msr-file.ts';
import * as index from './msr-index.ts';
import { Tsc } from './tsc.ts';

const PHYSICAL_ADDRESS_BITS = 40;

class TestHost implements MsrHost {
  efer = 0n;
  pagingEnabled = false;
  fsBase = 0n;
  gsBase = 0n;
  kernelGsBase = 0n;
  readonly machine = TestMachine.enabled();
  readonly interrupts: ApicMsrs | null;
  readonly tsc = new Tsc(this.machine.clock);
  readonly told: string[] = [];
  readonly msrs: MsrFile;

  constructor(hasControllers = true) {
    this.interrupts = hasControllers ? this.machine.vcpu() : null;
    this.tsc.initialise(2_000_000);
    const options = { physicalAddressBits: PHYSICAL_ADDRESS_BITS, tscKhz: 2_000_000 };
    this.msrs = new MsrFile(this, options);
  }

  tscMoved(): void {
    this.told.push('TSC');
  }

  systemTimeMoved(gpa: bigint | undefined): void {
    this.told.push(`system time ${gpa}`);
  }

  wallClockAsked(gpa: bigint): void {
    this.told.push(`wall clock ${gpa}`);
  }
}

const words = fc.bigInt(0n, 2n ** 64n - 1n);
const CANONICAL = [0n, 0x7fff_ffff_ffffn, 0xffff_8000_0000_0000n, 0xffff_ffff_ffff_ffffn];
const NOT_CANONICAL = [0x8000_0000_0000n, 0xffff_7fff_ffff_ffffn, 1n << 63n];

/** Values that each register takes and refuses, of the guest and of a saved state alike. */
const REGISTERS: Readonly<
  Record<string, { at: number; valid: readonly bigint[]; invalid: readonly bigint[] }>
> = {
  STAR: { at: index.IA32_STAR, valid: [0x0023_0010_1234_5678n, 2n ** 64n - 1n], invalid: [] },
  LSTAR: { at: index.IA32_LSTAR, valid: CANONICAL, invalid: NOT_CANONICAL },
  CSTAR: { at: index.IA32_CSTAR, valid: CANONICAL, invalid: NOT_CANONICAL },
  FMASK: { at: index.IA32_FMASK, valid: [0x4_7700n, 0xffff_ffffn], invalid: [1n << 32n] },
  FS_BASE: { at: index.IA32_FS_BASE, valid: CANONICAL, invalid: NOT_CANONICAL },
  GS_BASE: { at: index.IA32_GS_BASE, valid: CANONICAL, invalid: NOT_CANONICAL },
  KERNEL_GS_BASE: { at: index.IA32_KERNEL_GS_BASE, valid: CANONICAL, invalid: NOT_CANONICAL },
  SYSENTER_CS: { at: index.IA32_SYSENTER_CS, valid: [0x10n], invalid: [1n << 32n] },
  SYSENTER_ESP: { at: index.IA32_SYSENTER_ESP, valid: CANONICAL, invalid: NOT_CANONICAL },
  SYSENTER_EIP: { at: index.IA32_SYSENTER_EIP, valid: CANONICAL, invalid: NOT_CANONICAL },
  TSC_AUX: { at: index.IA32_TSC_AUX, valid: [0n, 0xffff_ffffn], invalid: [1n << 32n, 2n ** 64n - 1n] },
  PAT: {
    at: index.IA32_PAT,
    valid: [0x0007_0406_0007_0406n, 0x0407_0506_0007_0106n, 0n],
    invalid: [0x02n, 0x0300n, 0x08n, 0x86n, (1n << 56n) << 7n],
  },
  'MTRR default type': {
    at: index.IA32_MTRR_DEF_TYPE,
    valid: [0n, 0x806n, 0xc06n, 0xc00n],
    invalid: [2n, 7n, 0x100n, 0x200n, 0x1000n, 1n << 40n],
  },
  'MTRR base': {
    at: 0x200,
    valid: [6n, 0xff_ffff_f000n, 0xc000_0000n],
    invalid: [2n, 7n, 0x100n, 1n << 40n],
  },
  'MTRR mask': { at: 0x20f, valid: [0x800n, 0xff_ffff_f800n, 0n], invalid: [1n, 0x400n, 1n << 40n] },
  'fixed MTRR': {
    at: 0x26f,
    valid: [0x0606_0606_0606_0606n, 0x0506_0401_0001_0406n],
    invalid: [7n, 2n << 56n],
  },
  MISC_ENABLE: { at: index.IA32_MISC_ENABLE, valid: [0n, 1n], invalid: [1n << 22n, 1n << 34n, 2n] },
  DEBUGCTL: { at: index.IA32_DEBUGCTL, valid: [0n, 2n, 3n], invalid: [4n, 1n << 6n, 1n << 14n] },
  MCG_STATUS: { at: index.IA32_MCG_STATUS, valid: [0n], invalid: [1n, 4n] },
  'system time': {
    at: index.MSR_KVM_SYSTEM_TIME_NEW,
    valid: [0n, 0x1001n, 0x1000n, 0xff_ffff_fffdn],
    invalid: [2n, 0x1003n, 1n << 40n],
  },
  'wall clock': {
    at: index.MSR_KVM_WALL_CLOCK_NEW,
    valid: [0x2004n, 0xff_ffff_fffcn],
    invalid: [1n, 2n, 1n << 40n],
  },
};

for (const [name, { at, valid, invalid }] of Object.entries(REGISTERS)) {
  test(`${name} keeps what it can be, from guest and host, and refuses everything else`, () => {
    for (const how of ['write', 'hostWrite'] as const) {
      const { msrs } = new TestHost();
      for (const value of valid) {
        assert.equal(msrs[how](at, value), true, `${how} ${value.toString(16)}`);
        assert.equal(msrs.read(at), value);
      }
      const last = msrs.read(at);
      for (const value of invalid) {
        assert.equal(msrs[how](at, value), false, `${how} ${value.toString(16)}`);
        assert.equal(msrs.read(at), last, 'a fault changes nothing');
      }
    }
  });
}

test('segment bases are the host’s', () => {
  const host = new TestHost();
  host.msrs.write(index.IA32_FS_BASE, 0x1000n);
  host.msrs.write(index.IA32_GS_BASE, 0x2000n);
  host.msrs.write(index.IA32_KERNEL_GS_BASE, 0x3000n);
  assert.deepEqual([host.fsBase, host.gsBase, host.kernelGsBase], [0x1000n, 0x2000n, 0x3000n]);
  host.gsBase = 0x4000n; // SWAPGS
  assert.equal(host.msrs.read(index.IA32_GS_BASE), 0x4000n);
});

describe('IA32_EFER', () => {
  const [SCE, LME, LMA, NXE] = [1n, 0x100n, 0x400n, 0x800n];

  test('LME changes while paging is off only; LMA is not the guest’s; the rest is reserved', () => {
    const host = new TestHost();
    assert.equal(host.msrs.write(index.IA32_EFER, SCE | LME | LMA), true);
    assert.equal(host.efer, SCE | LME);
    host.pagingEnabled = true;
    host.efer |= LMA;
    assert.equal(host.msrs.write(index.IA32_EFER, SCE | LME | NXE), true);
    assert.equal(host.efer, SCE | LME | LMA | NXE);
    assert.equal(host.msrs.write(index.IA32_EFER, SCE | NXE), false);
    for (let bit = 0n; bit < 64n; bit++) {
      const isKnown = [0n, 8n, 10n, 11n].includes(bit);
      assert.equal(host.msrs.write(index.IA32_EFER, LME | (1n << bit)), isKnown, `bit ${bit}`);
    }
  });

  test('the host sets it as a whole, paging or not', () => {
    const host = new TestHost();
    host.pagingEnabled = true;
    assert.equal(host.msrs.hostWrite(index.IA32_EFER, SCE | LME | LMA), true);
    assert.equal(host.msrs.read(index.IA32_EFER), 0x501n);
    assert.equal(host.msrs.hostWrite(index.IA32_EFER, 1n << 12n), false);
    assert.equal(host.efer, 0x501n);
  });
});

describe('the time-stamp counter', () => {
  test('a guest’s write moves TSC_ADJUST, the host’s does not; both are told of', () => {
    const { msrs, told, machine } = new TestHost();
    msrs.hostWrite(index.IA32_TIME_STAMP_COUNTER, 1000n);
    assert.equal(msrs.read(index.IA32_TSC_ADJUST), 0n);
    msrs.write(index.IA32_TIME_STAMP_COUNTER, 1500n);
    assert.equal(msrs.read(index.IA32_TSC_ADJUST), 500n);
    machine.clock.nowNs += 10n;
    assert.equal(msrs.read(index.IA32_TIME_STAMP_COUNTER), 1520n);
    msrs.write(index.IA32_TSC_ADJUST, 0n);
    assert.equal(msrs.read(index.IA32_TIME_STAMP_COUNTER), 1020n);
    msrs.hostWrite(index.IA32_TSC_ADJUST, 7n);
    assert.equal(msrs.read(index.IA32_TIME_STAMP_COUNTER), 1020n);
    assert.deepEqual(told, ['TSC', 'TSC', 'TSC', 'TSC']);
  });
});

describe('the local APIC', () => {
  test('its base and mode are its own, and so is what it refuses', () => {
    const { msrs, interrupts } = new TestHost();
    const base = msrs.read(index.IA32_APIC_BASE)!;
    assert.equal(base, interrupts!.apicBase);
    assert.equal(msrs.write(index.IA32_APIC_BASE, base | (1n << 45n)), false);
    assert.equal(msrs.write(index.IA32_APIC_BASE, base | 0x400n), true);
    assert.equal(msrs.write(index.IA32_APIC_BASE, base), false, 'x2APIC to xAPIC');
    assert.equal(msrs.hostWrite(index.IA32_APIC_BASE, base), true, 'a saved state may be any mode');
    assert.equal(interrupts!.apicBase, base);
    for (const bad of [(base & ~0x800n) | 0x400n, base | 1n, base | (1n << 40n)])
      assert.equal(msrs.hostWrite(index.IA32_APIC_BASE, bad), false, bad.toString(16));
  });

  test('its registers are MSRs in x2APIC mode only', () => {
    const { msrs } = new TestHost();
    const tpr = index.X2APIC_FIRST + (APIC_TPR >> 4);
    assert.equal(msrs.read(tpr), undefined);
    assert.equal(msrs.write(tpr, 0x20n), false);
    msrs.write(index.IA32_APIC_BASE, msrs.read(index.IA32_APIC_BASE)! | 0x400n);
    assert.equal(msrs.write(tpr, 0x20n), true);
    assert.equal(msrs.read(tpr), 0x20n);
    assert.equal(msrs.write(tpr, 0x100n), false);
    assert.equal(msrs.read(index.X2APIC_LAST), undefined);
  });

  test('the deadline is armed in TSC-deadline mode', () => {
    const { msrs, interrupts, machine } = new TestHost();
    msrs.write(index.IA32_APIC_BASE, msrs.read(index.IA32_APIC_BASE)! | 0x400n);
    const lvtTimer = 0x832;
    msrs.write(lvtTimer, 0x4_0030n);
    const deadline = machine.clock.readTsc(0) + 10_000n;
    assert.equal(msrs.write(index.IA32_TSC_DEADLINE, deadline), true);
    assert.equal(msrs.read(index.IA32_TSC_DEADLINE), deadline);
    assert.equal(interrupts!.tscDeadline, deadline);
  });

  test('without one there are no such registers, and a saved deadline of none is taken', () => {
    const { msrs } = new TestHost(false);
    for (const at of [index.IA32_APIC_BASE, index.IA32_TSC_DEADLINE, 0x802]) {
      assert.equal(msrs.read(at), undefined);
      assert.equal(msrs.write(at, 0n), false);
    }
    assert.equal(msrs.hostWrite(index.IA32_TSC_DEADLINE, 0n), true);
    assert.equal(msrs.hostWrite(index.IA32_TSC_DEADLINE, 1n), false);
  });
});

describe('kvmclock', () => {
  test('an address with its lowest bit set begins it, one without ends it, under both numbers', () => {
    for (const at of [index.MSR_KVM_SYSTEM_TIME, index.MSR_KVM_SYSTEM_TIME_NEW]) {
      const { msrs, told } = new TestHost();
      msrs.write(at, 0x3001n);
      msrs.write(at, 0x3000n);
      msrs.write(at, 0x3002n);
      assert.deepEqual(told, ['system time 12288', 'system time undefined']);
      assert.equal(msrs.read(index.MSR_KVM_SYSTEM_TIME), 0x3000n);
      assert.equal(msrs.read(index.MSR_KVM_SYSTEM_TIME_NEW), 0x3000n);
    }
  });

  test('the wall clock is asked for by the guest, and not by a restore', () => {
    const { msrs, told } = new TestHost();
    msrs.hostWrite(index.MSR_KVM_WALL_CLOCK, 0x5000n);
    assert.deepEqual(told, []);
    msrs.write(index.MSR_KVM_WALL_CLOCK_NEW, 0x6000n);
    assert.deepEqual(told, ['wall clock 24576']);
    assert.equal(msrs.read(index.MSR_KVM_WALL_CLOCK), 0x6000n);
  });
});

test('what the processor is can be read and not be written', () => {
  const { msrs } = new TestHost();
  const constants = [
    [index.IA32_P5_MC_ADDR, 0n],
    [index.IA32_P5_MC_TYPE, 0n],
    [index.IA32_PLATFORM_ID, 0n],
    [index.EBL_CR_POWERON, 0n],
    [index.IA32_FEATURE_CONTROL, 1n],
    [index.MSR_PLATFORM_INFO, 20n << 8n],
    [index.IA32_MTRRCAP, 0x508n],
    [index.IA32_MCG_CAP, 0n],
  ] as const;
  for (const [at, value] of constants) {
    assert.equal(msrs.read(at), value);
    assert.equal(msrs.write(at, value), false);
    assert.equal(msrs.hostWrite(at, value), true);
    assert.equal(msrs.hostWrite(at, value ^ 1n), false);
  }
});

test('IA32_ARCH_CAPABILITIES: no Meltdown, and nothing that asks for another MSR', () => {
  const capabilities = new TestHost().msrs.read(index.IA32_ARCH_CAPABILITIES)!;
  const bit = (at: bigint) => ((capabilities >> at) & 1n) === 1n;
  assert.ok(bit(0n) && bit(5n) && bit(62n));
  // IBRS_ALL, RSBA, TSX_CTRL, FB_CLEAR, RRSBA, XAPIC_DISABLE, GDS_CTRL, RFDS_CLEAR
  for (const at of [1n, 2n, 7n, 17n, 19n, 21n, 25n, 28n]) assert.ok(!bit(at), String(at));
});

test('the microcode’s revision is there again after the write of 0 that asks for it', () => {
  const { msrs } = new TestHost();
  assert.equal(msrs.write(index.IA32_BIOS_SIGN_ID, 0n), true);
  assert.ok(msrs.read(index.IA32_BIOS_SIGN_ID)! >> 32n > 0n);
});

test('bits of MISC_ENABLE that a saved state has are read-only', () => {
  const { msrs } = new TestHost();
  assert.equal(msrs.write(index.IA32_MISC_ENABLE, 0x1801n), false);
  assert.equal(msrs.hostWrite(index.IA32_MISC_ENABLE, 0x1801n), true);
  assert.equal(msrs.write(index.IA32_MISC_ENABLE, 0x1800n), true);
  assert.equal(msrs.write(index.IA32_MISC_ENABLE, 0n), false);
  assert.equal(msrs.read(index.IA32_MISC_ENABLE), 0x1800n);
});

test('registers of features that are not shown: none for the guest, but a saved state has them unused', () => {
  const { msrs } = new TestHost();
  for (const at of [
    index.IA32_SPEC_CTRL,
    index.IA32_XSS,
    index.MSR_KVM_STEAL_TIME,
    index.MSR_KVM_POLL_CONTROL,
  ]) {
    assert.equal(msrs.read(at), undefined);
    assert.equal(msrs.write(at, 0n), false);
    assert.equal(msrs.hostWrite(at, 0n), true);
    assert.equal(msrs.hostWrite(at, 2n), false);
  }
});

test('there is no other register', () => {
  const { msrs } = new TestHost();
  const unknown = [
    0xdead, 0x79, 0x140, 0x1c9, 0x186, 0x210, 0x278, 0x400, 0x345, 0xc0000104, 0xc0010010, 0x40000000, -1,
  ];
  for (const at of unknown) {
    assert.equal(msrs.read(at), undefined, at.toString(16));
    assert.equal(msrs.write(at, 0n), false);
    assert.equal(msrs.hostWrite(at, 0n), false);
  }
});

test('whatever is written anywhere, what was refused has changed nothing, and what was taken is read again', () => {
  const interesting = [
    ...Object.values(REGISTERS).map(({ at }) => at),
    ...[index.IA32_MTRRCAP, index.IA32_ARCH_CAPABILITIES, index.IA32_TSC_ADJUST],
  ];
  const numbers = fc.oneof(fc.constantFrom(...interesting), fc.integer({ min: 0, max: 0x3ff }));
  const isVolatile = new Set([index.IA32_TIME_STAMP_COUNTER, index.IA32_BIOS_SIGN_ID]);
  fc.assert(
    fc.property(numbers, words, fc.boolean(), (at, value, isHost) => {
      const { msrs } = new TestHost();
      const before = msrs.read(at);
      const taken = isHost ? msrs.hostWrite(at, value) : msrs.write(at, value);
      if (!taken) assert.equal(msrs.read(at), before);
      else if (!isVolatile.has(at)) assert.equal(msrs.read(at), value);
    }),
    { numRuns: 1000 },
  );
});

test('the host cannot set what is no 64-bit number', () => {
  const { msrs } = new TestHost();
  for (const value of [-1n, 1n << 64n]) assert.equal(msrs.hostWrite(index.IA32_STAR, value), false);
});

test('what is saved of one vCPU makes another the same', () => {
  const from = new TestHost();
  const to = new TestHost();
  for (const { at, valid } of Object.values(REGISTERS)) from.msrs.write(at, valid.at(-1)!);
  from.msrs.write(index.IA32_TSC_ADJUST, 12_345n);
  const saved = from.msrs.savedIndices.map((at) => [at, from.msrs.read(at)!] as const);
  for (const [at, value] of saved) assert.equal(to.msrs.hostWrite(at, value), true, at.toString(16));
  assert.deepEqual(
    saved.map(([at]) => [at, to.msrs.read(at)]),
    saved,
  );
  assert.equal(to.kernelGsBase, from.kernelGsBase);
});
