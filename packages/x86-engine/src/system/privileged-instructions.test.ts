import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  faults,
  GDT,
  KERNEL_CODE,
  KERNEL_DATA,
  machine,
  TSS,
  USER_STACK,
} from '../testing/test-processor.ts';
import { VECTOR } from './guest-fault.ts';
import { requirePort } from './io-permission.ts';
import { OPERATIONS } from './operations.ts';
import { privilegeLevel, RFLAGS } from './processor.ts';
import type { Operation } from './system-processor.ts';

type Machine = ReturnType<typeof machine>;
const run = ({ processor }: Machine, operation: Operation, a = 0n, b = 0n, operandBits: 16 | 32 | 64 = 64) =>
  operation(processor, { a, b, operandBits });
const gp = faults(VECTOR.GP, 0);
const ud = faults(VECTOR.UD);
const NON_CANONICAL = 1n << 47n;

test('what is the supervisor’s is #GP(0) for users, and nothing of it happens', () => {
  const names = [
    ...(['readMsr', 'writeMsr', 'loadGdt', 'loadIdt', 'loadLdt', 'loadTaskRegister', 'halt'] as const),
    ...(['invalidatePage', 'invalidateProcessContext', 'invalidateCaches', 'swapGs'] as const),
    ...(['clearTaskSwitched', 'loadMachineStatus', 'clearInterruptFlag', 'setInterruptFlag'] as const),
  ];
  for (const name of names) {
    const on = machine('long', 3);
    assert.throws(() => run(on, OPERATIONS[name]), gp, name);
    assert.deepEqual(on.processor.calls, [], name);
  }
});

test('real-address mode has no LLDT, LTR, SLDT, STR, VERR, LAR, LSL and ARPL', () => {
  const names = ['loadLdt', 'loadTaskRegister', 'storeLdt', 'storeTaskRegister', 'verifyRead'] as const;
  for (const name of [...names, 'loadAccessRights', 'loadSegmentLimit', 'adjustPrivilege'] as const)
    assert.throws(() => run(machine('real'), OPERATIONS[name]), ud, name);
});

describe('system calls', () => {
  function withSystemCalls(cpl: 0 | 3): Machine {
    const on = machine('long', cpl);
    on.special.efer |= 1n;
    const msrs = {
      3221225601: 0x0013_0008_0000_0000n,
      3221225602: 0xffff_8000_0000_1000n,
      3221225604: 0x300n,
    };
    for (const [index, value] of Object.entries(msrs)) on.processor.setMsr(Number(index), value);
    return on;
  }

  test('SYSCALL enters at LSTAR with flags masked; SYSRET goes back', () => {
    const on = withSystemCalls(3);
    run(on, OPERATIONS.systemCall);
    assert.deepEqual(
      [on.general.rip, on.general.rcx, on.general.r11],
      [0xffff_8000_0000_1000n, 0x1234n, 0x202n],
    );
    assert.deepEqual([on.special.cs.selector, on.special.ss.selector], [8, 0x10]);
    assert.deepEqual([privilegeLevel(on.processor), on.general.rflags], [0, 2n]);
    run(on, OPERATIONS.systemReturn);
    assert.deepEqual([on.special.cs.selector, on.special.ss.selector], [0x23, 0x1b]);
    assert.deepEqual([privilegeLevel(on.processor), on.general.rip, on.general.rflags], [3, 0x1234n, 0x202n]);
  });

  test('SYSRET with 32 bits goes to compatibility mode; not to an address that is not canonical', () => {
    const on = withSystemCalls(0);
    on.general.rcx = NON_CANONICAL;
    assert.throws(() => run(on, OPERATIONS.systemReturn), gp);
    on.general.rcx = 0x5_0000_1111n;
    run(on, OPERATIONS.systemReturn, 0n, 0n, 32);
    assert.deepEqual([on.general.rip, on.special.cs.selector, on.special.cs.long], [0x1111n, 0x13, false]);
  });

  test('without SCE, and in compatibility mode, SYSCALL is #UD', () => {
    assert.throws(() => run(machine('long', 3), OPERATIONS.systemCall), ud);
    const on = withSystemCalls(3);
    on.special.cs = { ...on.special.cs, long: false };
    assert.throws(() => run(on, OPERATIONS.systemCall), ud);
  });

  test('SYSENTER and SYSEXIT, when SYSENTER_CS is not null', () => {
    const on = machine('protected', 3);
    assert.throws(() => run(on, OPERATIONS.systemEnter), gp);
    for (const [index, value] of [
      [0x174, 8n],
      [0x175, 0x8000n],
      [0x176, 0x5555n],
    ] as const)
      on.processor.setMsr(index, value);
    run(on, OPERATIONS.systemEnter);
    assert.deepEqual([on.general.rip, on.general.rsp, on.general.rflags], [0x5555n, 0x8000n, 2n]);
    Object.assign(on.general, { rcx: USER_STACK, rdx: 0x1111n });
    run(on, OPERATIONS.systemExit, 0n, 0n, 32);
    assert.deepEqual([on.general.rip, on.general.rsp, on.special.cs.selector], [0x1111n, USER_STACK, 0x1b]);
    assert.throws(() => run(on, OPERATIONS.systemExit, 0n, 0n, 32), gp);
  });
});

describe('flags', () => {
  test('POPF: users change neither IOPL nor, without it, IF; 16 bits leave the rest', () => {
    const user = machine('long', 3);
    run(user, OPERATIONS.writeFlags, 0x3f_7fd7n);
    assert.equal(user.general.rflags, 0x24_4fd7n);
    const kernel = machine('long');
    run(kernel, OPERATIONS.writeFlags, 0x24_3000n);
    assert.equal(kernel.general.rflags, 0x24_3002n);
    run(kernel, OPERATIONS.writeFlags, 0n, 0n, 16);
    assert.equal(kernel.general.rflags, 0x24_0002n);
  });

  test('PUSHF has RF and VM clear', () => {
    const on = machine('long');
    on.general.rflags |= RFLAGS.RF | RFLAGS.AC;
    assert.equal(run(on, OPERATIONS.readFlags), 0x4_0202n);
  });

  test('STI holds interrupts back for one instruction, if IF was clear', () => {
    const on = machine('long');
    run(on, OPERATIONS.setInterruptFlag);
    assert.deepEqual(on.processor.calls, []);
    run(on, OPERATIONS.clearInterruptFlag);
    assert.equal(on.general.rflags & RFLAGS.IF, 0n);
    run(on, OPERATIONS.setInterruptFlag);
    assert.deepEqual(on.processor.calls, ['sti']);
  });

  test('STAC and CLAC are the supervisor’s, where there is SMAP', () => {
    const on = machine('long');
    run(on, OPERATIONS.setAccessFlag, 1n);
    assert.equal(on.general.rflags & RFLAGS.AC, RFLAGS.AC);
    run(on, OPERATIONS.setAccessFlag, 0n);
    assert.equal(on.general.rflags & RFLAGS.AC, 0n);
    on.processor.features = 0;
    assert.throws(() => run(on, OPERATIONS.setAccessFlag, 1n), ud);
    assert.throws(() => run(machine('long', 3), OPERATIONS.setAccessFlag, 1n), ud);
  });
});

describe('MSRs, counters and XCR0', () => {
  test('RDMSR and WRMSR use EDX:EAX, and an MSR that there is not is #GP', () => {
    const on = machine('long');
    on.processor.setMsr(5, 0x1_0000_0002n);
    Object.assign(on.general, { rcx: 0xf_0000_0005n, rax: -1n & 0xffff_ffff_ffffn });
    run(on, OPERATIONS.readMsr);
    assert.deepEqual([on.general.rax, on.general.rdx], [2n, 1n]);
    on.general.rax = 0xf_0000_0009n;
    run(on, OPERATIONS.writeMsr);
    assert.equal(on.processor.msr(5), 0x1_0000_0009n);
    on.general.rcx = 6n;
    for (const name of ['readMsr', 'writeMsr'] as const) assert.throws(() => run(on, OPERATIONS[name]), gp);
  });

  test('CR4.TSD keeps the time-stamp counter from users', () => {
    const on = machine('long', 3);
    assert.equal(run(on, OPERATIONS.readTscAndId), 0x1_0000_0002n);
    assert.equal(on.general.rcx, 7n);
    on.special.cr4 |= 4n;
    assert.throws(() => run(on, OPERATIONS.readTsc), gp);
  });

  test('XSETBV keeps x87 on and takes only what there is; without OSXSAVE it is #UD', () => {
    const on = machine('long');
    assert.throws(() => run(on, OPERATIONS.readExtendedControl), ud);
    on.special.cr4 |= 1n << 18n;
    on.general.rax = 3n;
    run(on, OPERATIONS.writeExtendedControl);
    assert.equal(run(on, OPERATIONS.readExtendedControl), 3n);
    for (const value of [2n, 7n]) {
      on.general.rax = value;
      assert.throws(() => run(on, OPERATIONS.writeExtendedControl), gp);
    }
  });

  test('FS and GS bases need CR4.FSGSBASE and canonical values; SWAPGS exchanges', () => {
    const on = machine('long', 3);
    assert.throws(() => run(on, OPERATIONS.readSegmentBase), ud);
    on.special.cr4 |= 1n << 16n;
    assert.throws(() => run(on, OPERATIONS.writeSegmentBase, 1n, NON_CANONICAL), gp);
    run(on, OPERATIONS.writeSegmentBase, 1n, 0x7777n);
    assert.deepEqual([run(on, OPERATIONS.readSegmentBase, 1n), on.special.fs.base], [0x7777n, 0n]);
    const kernel = machine('long');
    kernel.processor.setMsr(0xc000_0102, 0x99n);
    run(kernel, OPERATIONS.swapGs);
    assert.deepEqual([kernel.special.gs.base, kernel.processor.msr(0xc000_0102)], [0x99n, 0n]);
  });
});

describe('segments and tables', () => {
  test('LGDT takes 24, 32 or 64 bits of base; SGDT stores it whole', () => {
    const on = machine('protected');
    on.memory.write(0x3000n, 8, 0x8765_4321_0fffn);
    run(on, OPERATIONS.loadGdt, 0x3000n, 0n, 16);
    assert.deepEqual(on.special.gdt, { base: 0x65_4321n, limit: 0xfff });
    run(on, OPERATIONS.loadIdt, 0x3000n, 0n, 32);
    run(on, OPERATIONS.storeIdt, 0x3100n, 0n, 16);
    assert.equal(on.memory.read(0x3100n, 8), 0x8765_4321_0fffn);
    const long = machine('long');
    long.memory.write(0x3002n, 8, NON_CANONICAL);
    assert.throws(() => run(long, OPERATIONS.loadGdt, 0x3000n), gp);
  });

  test('a store that runs into a missing page writes nothing', () => {
    const on = machine('long');
    assert.throws(() => run(on, OPERATIONS.storeGdt, 0xfffcn), faults(VECTOR.PF, 2));
    assert.equal(on.memory.read(0xfffcn, 4), 0n);
  });

  test('CS cannot be loaded; SS holds interrupts back', () => {
    const on = machine('protected');
    assert.throws(() => run(on, OPERATIONS.loadSegment, 1n, 8n), ud);
    run(on, OPERATIONS.loadSegment, 2n, BigInt(KERNEL_DATA));
    assert.deepEqual(on.processor.calls, ['mov-ss']);
    on.memory.write(0x3000n, 8, (BigInt(KERNEL_DATA) << 32n) | 0x1234_5678n);
    assert.equal(run(on, OPERATIONS.loadFarPointer, 0n, 0x3000n, 32), 0x1234_5678n);
  });

  test('VERR, VERW, LAR and LSL answer in ZF and fault on no selector', () => {
    const on = machine('long', 3);
    const isSet = (operation: Operation, selector: number) => {
      const value = run(on, operation, BigInt(selector), 0x77n);
      return [(on.general.rflags & RFLAGS.ZF) !== 0n, value];
    };
    on.memory.write(GDT + 0x28n, 8, 0x00_00_e1_00_4000_0067n);
    assert.deepEqual(isSet(OPERATIONS.verifyRead, 0x1b), [true, undefined]);
    assert.deepEqual(isSet(OPERATIONS.verifyWrite, 0x1b), [false, undefined]);
    assert.deepEqual(isSet(OPERATIONS.verifyWrite, 0x23), [true, undefined]);
    for (const selector of [0, KERNEL_CODE, 0x80])
      assert.equal(isSet(OPERATIONS.verifyRead, selector)[0], false);
    assert.deepEqual(isSet(OPERATIONS.loadSegmentLimit, 0x23), [true, 0xffff_ffffn]);
    assert.deepEqual(isSet(OPERATIONS.loadAccessRights, 0x23), [true, 0xc0_f300n]);
    assert.deepEqual(isSet(OPERATIONS.loadAccessRights, 0x2b), [false, 0x77n], 'a 16-bit TSS in IA-32e mode');
  });

  test('ARPL raises the RPL', () => {
    const on = machine('protected');
    assert.equal(run(on, OPERATIONS.adjustPrivilege, 0x10n, 0x0bn), 0x13n);
    assert.equal(on.general.rflags & RFLAGS.ZF, RFLAGS.ZF);
    assert.equal(run(on, OPERATIONS.adjustPrivilege, 0x13n, 0x08n), 0x13n);
    assert.equal(on.general.rflags & RFLAGS.ZF, 0n);
  });
});

describe('stack frames', () => {
  test('ENTER copies the outer frames’ pointers', () => {
    const on = machine('long');
    on.general.rbp = 0x9000n;
    on.memory.write(0x8ff8n, 8, 0xaaan);
    run(on, OPERATIONS.enter, 0x20n, 2n);
    const top = 0x8008n - 8n;
    assert.deepEqual([on.general.rbp, on.general.rsp], [top, top - 16n - 0x20n]);
    const words = [top, top - 8n, top - 16n].map((gva) => on.memory.read(gva, 8));
    assert.deepEqual(words, [0x9000n, 0xaaan, top]);
  });

  test('ENTER whose frame does not fit changes nothing', () => {
    const on = machine('long');
    on.general.rsp = 0x18n;
    const before = { ...on.general };
    assert.throws(() => run(on, OPERATIONS.enter, 0x40n, 1n));
    assert.deepEqual(on.general, before);
    assert.equal(on.memory.read(0x10n, 8), 0n);
  });

  test('PUSHA and POPA, whose SP is left out', () => {
    const on = machine('protected');
    Object.assign(on.general, { rax: 1n, rdi: 8n });
    run(on, OPERATIONS.pushAll, 0n, 0n, 32);
    assert.deepEqual([on.general.rsp, on.memory.read(0x7ff4n, 4)], [0x7fe8n, 0x8008n]);
    Object.assign(on.general, { rax: 0n, rdi: 0n });
    run(on, OPERATIONS.popAll, 0n, 0n, 32);
    assert.deepEqual([on.general.rax, on.general.rdi, on.general.rsp], [1n, 8n, 0x8008n]);
  });

  test('a push beyond the stack segment is #SS, one that faults changes nothing', () => {
    const on = machine('protected');
    on.special.ss = { ...on.special.ss, limit: 0x8000 };
    assert.throws(() => run(on, OPERATIONS.pushAll, 0n, 0n, 32), faults(VECTOR.SS, 0));
    assert.equal(on.general.rsp, 0x8008n);
  });

  test('BOUND is signed and includes both bounds', () => {
    const on = machine('protected');
    on.memory.write(0x3000n, 8, 0x0000_0005_ffff_fffen);
    for (const index of [0xffff_fffen, 0n, 5n]) run(on, OPERATIONS.checkBounds, index, 0x3000n, 32);
    for (const index of [0xffff_fffdn, 6n])
      assert.throws(() => run(on, OPERATIONS.checkBounds, index, 0x3000n, 32), faults(VECTOR.BR));
  });
});

test('INVLPG and INVPCID forget what they name, and refuse types that there are not', () => {
  const on = machine('long');
  run(on, OPERATIONS.invalidatePage, 0x5000n);
  run(on, OPERATIONS.invalidatePage, NON_CANONICAL);
  on.memory.write(0x3008n, 8, 0x6000n);
  for (const type of [0n, 1n, 2n, 3n]) run(on, OPERATIONS.invalidateProcessContext, 0x3000n, type);
  assert.deepEqual(on.processor.calls, ['page 0x5000', 'page 0x6000', 'non-global', 'all', 'non-global']);
  assert.throws(() => run(on, OPERATIONS.invalidateProcessContext, 0x3000n, 4n), gp);
  on.memory.write(0x3000n, 8, 1n);
  assert.throws(() => run(on, OPERATIONS.invalidateProcessContext, 0x3000n, 1n), gp);
  run(on, OPERATIONS.invalidateProcessContext, 0x3000n, 2n);
});

test('HLT stops, MWAIT goes on, VMCALL asks the hypervisor', () => {
  const on = machine('long');
  for (const name of ['halt', 'monitor', 'monitorWait', 'hypercall'] as const) run(on, OPERATIONS[name]);
  assert.deepEqual(on.processor.calls, ['halt', 'hypercall']);
  on.general.rcx = 1n;
  assert.throws(() => run(on, OPERATIONS.monitorWait), gp);
  assert.throws(() => run(machine('long', 3), OPERATIONS.monitor), ud);
});

test('ports are open by IOPL, or by the TSS’s bit map', () => {
  const on = machine('long', 3);
  on.memory.write(TSS + 0x66n, 2, 0x68n);
  assert.throws(() => requirePort(on.processor, 0x60, 1), gp);
  on.special.tr = { ...on.special.tr, limit: 0x80 };
  on.memory.write(TSS + 0x68n + 12n, 2, 0x2n);
  requirePort(on.processor, 0x60, 1);
  assert.throws(() => requirePort(on.processor, 0x60, 2), gp);
  assert.throws(() => requirePort(on.processor, 0xc8, 1), gp, 'beyond the segment');
  on.general.rflags |= RFLAGS.IOPL;
  requirePort(on.processor, 0xc8, 4);
});
