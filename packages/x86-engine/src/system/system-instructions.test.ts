import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  GDT,
  KERNEL_DATA,
  type Memory,
  machine,
  TSS,
  USER_CODE,
  USER_STACK,
} from '../testing/test-processor.ts';
import { GuestFault, VECTOR } from './guest-fault.ts';
import { interruptReturn } from './interrupt-return.ts';
import { loadDataSegment, loadTaskRegister } from './load-segment.ts';
import { type Processor, privilegeLevel, RFLAGS } from './processor.ts';

const USER_DATA = 0x23;
const TSS_SELECTOR = 0x28;

const faults = (vector: number, errorCode: number) => (error: unknown) =>
  error instanceof GuestFault && error.vector === vector && error.errorCode === errorCode;

function push(memory: Memory, rsp: bigint, values: readonly bigint[], lengthBytes: 2 | 4 | 8 = 8): void {
  for (const [at, value] of values.entries())
    memory.write(rsp + BigInt(at * lengthBytes), lengthBytes, value);
}

describe('IRET', () => {
  test('to user mode in long mode: stack, flags, and no segment that the user may not have', () => {
    const { memory, general, special, processor } = machine('long');
    special.ds = { ...special.ds, selector: KERNEL_DATA, dpl: 0 };
    special.fs = { ...special.fs, selector: USER_DATA, dpl: 3 };
    push(memory, general.rsp, [0x40_0000n, BigInt(USER_CODE), 0x3202n, USER_STACK, BigInt(USER_DATA)]);
    interruptReturn(processor, 8);
    assert.deepEqual([general.rip, general.rsp, privilegeLevel(processor)], [0x40_0000n, USER_STACK, 3]);
    assert.equal(general.rflags, 0x3202n);
    assert.deepEqual([special.ds.unusable, special.fs.selector], [true, USER_DATA]);
  });

  test('within the kernel SS and RSP are taken from the frame, too; SS may be null', () => {
    const { memory, general, special, processor } = machine('long');
    push(memory, general.rsp, [0x1111n, 8n, 2n, 0x8888n, 0n]);
    interruptReturn(processor, 8);
    assert.deepEqual([general.rip, general.rsp, special.ss.selector], [0x1111n, 0x8888n, 0]);
    assert.equal(general.rflags & RFLAGS.IF, 0n);
  });

  test('users change neither IF nor IOPL, and get no more privilege', () => {
    const { memory, general, processor } = machine('long', 3);
    push(memory, general.rsp, [0x1111n, BigInt(USER_CODE), 0x3001n, USER_STACK, BigInt(USER_DATA)]);
    interruptReturn(processor, 8);
    assert.equal(general.rflags, 0x203n);
    push(memory, general.rsp, [0x1111n, 8n, 2n, USER_STACK, BigInt(USER_DATA)]);
    assert.throws(() => interruptReturn(processor, 8), faults(VECTOR.GP, 8));
  });

  test('an address that is not canonical, a stack segment that is none: nothing has changed', () => {
    const bad: [readonly bigint[], number, number][] = [
      [[1n << 47n, 8n, 2n, 0x8888n, 0n], VECTOR.GP, 0],
      [[0x1111n, 0n, 2n, 0x8888n, 0n], VECTOR.GP, 0],
      [[0x1111n, BigInt(USER_CODE), 2n, 0x8888n, 0n], VECTOR.GP, 0],
      [[0x1111n, BigInt(USER_CODE), 2n, 0x8888n, BigInt(KERNEL_DATA)], VECTOR.GP, KERNEL_DATA],
    ];
    for (const [frame, vector, errorCode] of bad) {
      const { memory, general, special, processor } = machine('long');
      push(memory, general.rsp, frame);
      const before = structuredClone({ general, special });
      assert.throws(() => interruptReturn(processor, 8), faults(vector, errorCode));
      assert.deepEqual({ general, special }, before);
    }
  });

  test('in protected mode a return at the same level leaves the stack segment', () => {
    const { memory, general, special, processor } = machine('protected');
    push(memory, general.rsp, [0x2222n, 8n, 0x246n], 4);
    interruptReturn(processor, 4);
    assert.deepEqual([general.rip, general.rsp, special.ss.selector], [0x2222n, 0x8008n + 12n, KERNEL_DATA]);
  });

  test('in real mode', () => {
    const { memory, general, special, processor } = machine('real');
    special.ss = { ...special.ss, base: 0n, defaultBig: false };
    push(memory, general.rsp, [0x42n, 0x200n, 0x202n], 2);
    interruptReturn(processor, 2);
    assert.deepEqual([general.rip, special.cs.base, general.rsp], [0x42n, 0x2000n, 0x800en]);
  });
});

describe('segment registers', () => {
  const load = (processor: Processor, selector: number) => loadDataSegment(processor, 'ds', selector);

  test('null makes a data segment unusable, and is #GP for SS but in 64-bit kernel code', () => {
    const { special, processor } = machine('protected');
    load(processor, 0);
    assert.equal(special.ds.unusable, true);
    assert.throws(() => loadDataSegment(processor, 'ss', 0), faults(VECTOR.GP, 0));
    const long = machine('long');
    loadDataSegment(long.processor, 'ss', 0);
    assert.equal(long.special.ss.unusable, false);
  });

  test('privilege, type, presence and the table’s end are checked', () => {
    const { memory, processor } = machine('long', 3);
    assert.throws(() => load(processor, KERNEL_DATA), faults(VECTOR.GP, KERNEL_DATA));
    load(processor, USER_DATA);
    assert.throws(() => load(processor, 0x43), faults(VECTOR.GP, 0x40));
    memory.write(GDT + 0x20n, 8, 0x00_cf_73_00_0000_ffffn);
    assert.throws(() => load(processor, USER_DATA), faults(VECTOR.NP, USER_DATA & 0xfffc));
    memory.write(GDT + 0x20n, 8, 0x00_cf_f9_00_0000_ffffn); // code that cannot be read
    assert.throws(() => load(processor, USER_DATA), faults(VECTOR.GP, USER_DATA & 0xfffc));
  });

  test('the accessed flag is set in memory', () => {
    const { memory, processor } = machine('long');
    memory.write(GDT + 0x10n, 8, 0x00_cf_92_00_0000_ffffn);
    load(processor, KERNEL_DATA);
    assert.equal(memory.read(GDT + 0x10n, 8), 0x00_cf_93_00_0000_ffffn);
  });

  test('in real mode the base is 16 times the selector', () => {
    const { special, processor } = machine('real');
    load(processor, 0xb800);
    assert.equal(special.ds.base, 0xb8000n);
  });

  test('LTR takes an available TSS, with 64 bits of base, and makes it busy', () => {
    const { memory, special, processor } = machine('long');
    memory.write(GDT + 0x28n, 8, 0x00_00_89_00_4000_0067n);
    memory.write(GDT + 0x30n, 8, 0xffff_8000n);
    loadTaskRegister(processor, TSS_SELECTOR);
    assert.deepEqual([special.tr.base, special.tr.limit], [(0xffff_8000n << 32n) | TSS, 0x67]);
    assert.throws(() => loadTaskRegister(processor, TSS_SELECTOR), faults(VECTOR.GP, TSS_SELECTOR));
  });
});
