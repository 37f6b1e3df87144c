import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  faults,
  GDT,
  IDT,
  KERNEL_CODE,
  KERNEL_DATA,
  type Memory,
  machine,
  STACK,
  TSS,
  USER_CODE,
  USER_STACK,
} from '../testing/test-processor.ts';
import { deliver } from './event-delivery.ts';
import { VECTOR } from './guest-fault.ts';
import { OPERATIONS } from './operations.ts';
import { operatingMode, privilegeLevel, RFLAGS } from './processor.ts';
import type { Operation } from './system-processor.ts';

type Machine = ReturnType<typeof machine>;
const run = ({ processor }: Machine, operation: Operation, a: bigint, operandBits: 16 | 32 | 64 = 32) =>
  operation(processor, { a, b: 0n, operandBits });
const far = (selector: number, offset: bigint) => (BigInt(selector) << 32n) | offset;
const words = (memory: Memory, gva: bigint, count: number, lengthBytes: 2 | 4 | 8 = 4) =>
  Array.from({ length: count }, (_, at) => memory.read(gva + BigInt(at * lengthBytes), lengthBytes));

const GATE = 0x33;
const gate = (type: number, selector: number, offset: bigint, parameters = 0) =>
  (offset & 0xffffn) |
  (BigInt(selector) << 16n) |
  (BigInt(parameters) << 32n) |
  (BigInt(0xe0 | type) << 40n) |
  ((offset >> 16n) << 48n);

describe('far JMP, CALL and RET', () => {
  test('in real mode: a paragraph, and the old place on the stack', () => {
    const on = machine('real');
    on.general.rsp = 0x8000n;
    on.special.ss = { ...on.special.ss, defaultBig: false };
    run(on, OPERATIONS.farCall, far(0x200, 0x42n), 16);
    assert.deepEqual([on.general.rip, on.special.cs.base, on.general.rsp], [0x42n, 0x2000n, 0x7ffcn]);
    run(on, OPERATIONS.farReturn, 0n, 16);
    assert.deepEqual(
      [on.general.rip, on.special.cs.selector, on.general.rsp],
      [0x1234n, KERNEL_CODE, 0x8000n],
    );
  });

  test('to code of another privilege, data, nothing, or beyond the limit: nothing has changed', () => {
    const cases: [bigint, number][] = [
      [far(USER_CODE, 0n), USER_CODE & ~3],
      [far(KERNEL_DATA, 0n), KERNEL_DATA],
      [far(0, 0n), 0],
      [far(0x80, 0n), 0x80],
    ];
    for (const kind of ['farJump', 'farCall'] as const) {
      for (const [pointer, errorCode] of cases) {
        const on = machine('protected');
        const before = structuredClone({ ...on.general, ...on.special });
        assert.throws(() => run(on, OPERATIONS[kind], pointer), faults(VECTOR.GP, errorCode));
        assert.deepEqual({ ...on.general, ...on.special }, before);
      }
    }
  });

  test('from 64-bit mode, through memory, to compatibility mode', () => {
    const on = machine('long');
    on.memory.write(GDT + 0x30n, 8, 0x00_cf_9b_00_0000_ffffn);
    on.memory.write(0x3000n, 8, 0x30_0000_7777n);
    run(on, OPERATIONS.farJumpIndirect, 0x3000n, 32);
    assert.deepEqual([on.general.rip, on.special.cs.long], [0x7777n, false]);
    assert.equal(operatingMode(on.processor), 'long');
  });

  test('a call gate inwards: the TSS’s stack with the parameters; a far RET goes back and releases both', () => {
    const on = machine('protected', 3);
    on.memory.write(TSS + 4n, 4, STACK);
    on.memory.write(TSS + 8n, 2, BigInt(KERNEL_DATA));
    on.memory.write(GDT + 0x30n, 8, gate(12, KERNEL_CODE, 0x5_4321n, 2));
    on.memory.write(USER_STACK, 8, 0x2222_2222_1111_1111n);
    run(on, OPERATIONS.farCall, far(GATE, 0n));
    assert.deepEqual(
      [on.general.rip, privilegeLevel(on.processor), on.general.rsp],
      [0x5_4321n, 0, STACK - 24n],
    );
    const frame = [0x1234n, BigInt(USER_CODE), 0x1111_1111n, 0x2222_2222n, USER_STACK, 0x23n];
    assert.deepEqual(words(on.memory, STACK - 24n, 6), frame);
    run(on, OPERATIONS.farReturn, 8n);
    assert.deepEqual([on.general.rip, privilegeLevel(on.processor)], [0x1234n, 3]);
    assert.deepEqual([on.general.rsp, on.special.ss.selector], [USER_STACK + 8n, 0x23]);
  });

  test('a 64-bit call gate: 16 bytes, SS null, no parameters', () => {
    const on = machine('long', 3);
    on.memory.write(TSS + 4n, 8, STACK);
    on.memory.write(GDT + 0x30n, 8, gate(12, KERNEL_CODE, 0x5000n, 3));
    on.memory.write(0x3000n, 8, far(GATE, 0n));
    run(on, OPERATIONS.farCallIndirect, 0x3000n);
    assert.deepEqual([on.general.rsp, on.special.ss.selector], [STACK - 32n, 0]);
    assert.deepEqual(words(on.memory, STACK - 32n, 4, 8), [0x1234n, 0x1bn, USER_STACK, 0x23n]);
    const closed = machine('long', 3);
    closed.memory.write(GDT + 0x38n, 8, 0x1f00n << 32n);
    closed.memory.write(GDT + 0x30n, 8, gate(12, KERNEL_CODE, 0x5000n));
    closed.memory.write(0x3000n, 8, far(GATE, 0n));
    assert.throws(() => run(closed, OPERATIONS.farCallIndirect, 0x3000n), faults(VECTOR.GP, 0x30));
  });

  test('a gate that is closed or not present, and a jump inwards', () => {
    const cases: [bigint, 'farJump' | 'farCall', number, number][] = [
      [gate(12, KERNEL_CODE, 0n) & ~(0x60n << 40n), 'farCall', VECTOR.GP, 0x30],
      [gate(12, KERNEL_CODE, 0n) & ~(0x80n << 40n), 'farCall', VECTOR.NP, 0x30],
      [gate(12, KERNEL_CODE, 0n), 'farJump', VECTOR.GP, KERNEL_CODE],
      [gate(12, 0, 0n), 'farCall', VECTOR.GP, 0],
    ];
    for (const [descriptor, kind, vector, errorCode] of cases) {
      const on = machine('protected', 3);
      on.memory.write(GDT + 0x30n, 8, descriptor);
      assert.throws(() => run(on, OPERATIONS[kind], far(GATE, 0n)), faults(vector, errorCode));
    }
  });
});

describe('tasks', () => {
  const NEW_TSS = 0x6000n;
  /** A second task at 0x30 in the GDT, this one at 0x28. */
  function withTask(): Machine {
    const on = machine('protected');
    on.memory.write(GDT + 0x28n, 8, 0x00_00_8b_00_4000_0067n);
    on.memory.write(GDT + 0x30n, 8, 0x00_00_89_00_6000_0067n);
    const state: [number, bigint][] = [
      ...([
        [0x1c, 0xa000n],
        [0x20, 0x5678n],
        [0x24, 2n],
        [0x28, 0x11n],
        [0x38, 0x9000n],
      ] as [number, bigint][]),
      ...[0x48, 0x50, 0x54, 0x58, 0x5c].map((at): [number, bigint] => [at, BigInt(KERNEL_DATA)]),
      [0x4c, BigInt(KERNEL_CODE)],
    ];
    for (const [at, value] of state) on.memory.write(NEW_TSS + BigInt(at), 4, value);
    return on;
  }

  test('CALL nests: the old state is saved, NT and the link lead back with IRET', () => {
    const on = withTask();
    run(on, OPERATIONS.farCall, far(0x30, 0n));
    assert.deepEqual([on.general.rip, on.general.rax, on.general.rsp], [0x5678n, 0x11n, 0x9000n]);
    assert.deepEqual([on.special.cr3, on.special.tr.selector, on.special.cr0 & 8n], [0xa000n, 0x30, 8n]);
    assert.equal(on.general.rflags & RFLAGS.NT, RFLAGS.NT);
    assert.deepEqual([on.memory.read(NEW_TSS, 2), on.memory.read(TSS + 0x20n, 4)], [0x28n, 0x1234n]);
    run(on, OPERATIONS.interruptReturn, 0n);
    assert.deepEqual([on.general.rip, on.special.tr.selector], [0x1234n, 0x28]);
    assert.equal(on.memory.read(GDT + 0x35n, 1), 0x89n, 'the nested task is available again');
  });

  test('a busy task, a short one and one with a wrong segment are refused', () => {
    const cases: [(on: Machine) => void, number, number][] = [
      [({ memory }) => memory.write(GDT + 0x35n, 1, 0x8bn), VECTOR.GP, 0x30],
      [({ memory }) => memory.write(GDT + 0x30n, 2, 0x66n), VECTOR.TS, 0x30],
      [({ memory }) => memory.write(NEW_TSS + 0x54n, 2, BigInt(0x80)), VECTOR.TS, 0x80],
      [({ memory }) => memory.write(NEW_TSS + 0x50n, 2, 0n), VECTOR.TS, 0],
    ];
    for (const [spoil, vector, errorCode] of cases) {
      const on = withTask();
      spoil(on);
      assert.throws(() => run(on, OPERATIONS.farJump, far(0x30, 0n)), faults(vector, errorCode));
      assert.equal(on.special.tr.selector, 0x28);
    }
  });

  test('a task gate in the IDT: the error code is on the new task’s stack', () => {
    const on = withTask();
    on.memory.write(IDT + BigInt(VECTOR.DF * 8), 8, gate(5, 0x30, 0n));
    deliver(on.processor, { vector: VECTOR.DF, errorCode: 0x55, source: 'exception' });
    assert.deepEqual([on.general.rip, on.general.rsp, on.memory.read(0x8ffcn, 4)], [0x5678n, 0x8ffcn, 0x55n]);
  });
});

describe('software interrupts and virtual-8086 mode', () => {
  test('IRET with VM goes there, INT n comes back with IOPL 3, and is #GP without', () => {
    const on = machine('protected');
    const frame = [0x100n, 0x300n, 0x2_3202n, 0xff0n, 0x400n, 1n, 2n, 3n, 4n];
    for (const [at, value] of frame.entries()) on.memory.write(on.general.rsp + BigInt(at * 4), 4, value);
    on.memory.write(TSS + 4n, 4, STACK);
    on.memory.write(TSS + 8n, 2, BigInt(KERNEL_DATA));
    on.memory.write(IDT + 0x80n * 8n, 8, gate(14, KERNEL_CODE, 0x5000n));
    run(on, OPERATIONS.interruptReturn, 0n);
    assert.deepEqual(
      [operatingMode(on.processor), on.special.cs.base, on.general.rsp],
      ['virtual-8086', 0x3000n, 0xff0n],
    );
    assert.deepEqual([on.special.gs.selector, on.special.ss.base], [4, 0x4000n]);
    run(on, OPERATIONS.softwareInterrupt, 0x80n);
    assert.deepEqual([operatingMode(on.processor), on.general.rsp], ['protected', STACK - 36n]);
    assert.deepEqual(words(on.memory, STACK - 36n, 5), [0x100n, 0x300n, 0x2_3202n, 0xff0n, 0x400n]);
    run(on, OPERATIONS.interruptReturn, 0n);
    on.general.rflags &= ~RFLAGS.IOPL;
    for (const name of ['softwareInterrupt', 'interruptReturn', 'readFlags', 'writeFlags'] as const)
      assert.throws(() => run(on, OPERATIONS[name], 0x80n), faults(VECTOR.GP, 0), name);
  });

  test('what INT n’s delivery faults on is thrown, with the gate in the error code', () => {
    const on = machine('long', 3);
    on.memory.write(IDT + 0x800n, 8, gate(14, KERNEL_CODE, 0x5000n) & ~(0x60n << 40n));
    assert.throws(() => run(on, OPERATIONS.softwareInterrupt, 0x80n), faults(VECTOR.GP, 0x402));
    assert.throws(() => run(on, OPERATIONS.softwareInterrupt, 0xffn), faults(VECTOR.GP, 0xff * 8 + 2));
    assert.equal(on.general.rip, 0x1234n);
  });

  test('INTO does nothing without OF; INT1 asks no gate for its privilege', () => {
    const on = machine('long', 3);
    on.memory.write(TSS + 4n, 8, STACK);
    on.memory.write(IDT + 0x10n, 8, gate(14, KERNEL_CODE, 0x5000n) & ~(0x60n << 40n));
    run(on, OPERATIONS.overflow, 0n);
    assert.equal(on.general.rip, 0x1234n);
    run(on, OPERATIONS.debugTrap, 0n);
    assert.equal(on.general.rip, 0x5000n);
  });
});
