import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  flat,
  HANDLER,
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
import type { GuestEvent } from './guest-event.ts';
import { VECTOR } from './guest-fault.ts';
import { privilegeLevel, RFLAGS } from './processor.ts';

function setGate(
  memory: Memory,
  vector: number,
  isLong: boolean,
  part: { type?: number; dpl?: number; ist?: number; selector?: number; present?: boolean } = {},
): void {
  const { type = 14, dpl = 0, ist = 0, selector = KERNEL_CODE, present = true } = part;
  const low =
    (HANDLER & 0xffffn) |
    (BigInt(selector) << 16n) |
    (BigInt(ist) << 32n) |
    (BigInt(type) << 40n) |
    (BigInt(dpl) << 45n) |
    (BigInt(present) << 47n);
  memory.write(IDT + BigInt(vector * (isLong ? 16 : 8)), 8, low);
}

const external = (vector: number): GuestEvent => ({ vector, source: 'external' });
const fault = (vector: number, errorCode?: number): GuestEvent => ({
  ...{ vector, source: 'exception' },
  ...(errorCode === undefined ? {} : { errorCode }),
});
const stackOf = (memory: Memory, rsp: bigint, count: number, lengthBytes: 2 | 4 | 8 = 8) =>
  Array.from({ length: count }, (_, at) => memory.read(rsp + BigInt(at * lengthBytes), lengthBytes));

describe('long mode', () => {
  test('an interrupt of the kernel: on its stack, aligned to 16 bytes, with interrupts off', () => {
    const { memory, general, processor } = machine('long');
    setGate(memory, 0x40, true);
    assert.equal(deliver(processor, external(0x40)), 'delivered');
    assert.equal(general.rip, HANDLER);
    assert.equal(general.rsp, 0x8000n - 40n);
    assert.deepEqual(stackOf(memory, general.rsp, 5), [0x1234n, 8n, 0x202n, 0x8008n, 0x10n]);
    assert.equal(general.rflags & RFLAGS.IF, 0n);
  });

  test('from user mode: the stack of the TSS, SS null, and the error code last', () => {
    const { memory, general, special, processor } = machine('long', 3);
    memory.write(TSS + 4n, 8, STACK);
    setGate(memory, VECTOR.GP, true, { type: 15 });
    assert.equal(deliver(processor, fault(VECTOR.GP, 0x18)), 'delivered');
    assert.equal(general.rsp, STACK - 48n);
    assert.deepEqual(stackOf(memory, general.rsp, 6), [
      0x18n,
      0x1234n,
      0x1bn,
      0x202n | RFLAGS.RF,
      USER_STACK,
      0x23n,
    ]);
    assert.deepEqual([special.ss.selector, privilegeLevel(processor)], [0, 0]);
    assert.notEqual(general.rflags & RFLAGS.IF, 0n, 'a trap gate leaves interrupts on');
  });

  test('an interrupt stack is taken from the same privilege, too', () => {
    const { memory, general, special, processor } = machine('long');
    memory.write(TSS + 36n + 16n, 8, STACK);
    setGate(memory, VECTOR.NMI, true, { ist: 3 });
    deliver(processor, external(VECTOR.NMI));
    assert.equal(general.rsp, STACK - 40n);
    assert.equal(special.ss.selector, KERNEL_DATA);
  });

  test('INT n needs a gate of its privilege; hardware does not', () => {
    const { memory, general, processor } = machine('long', 3);
    memory.write(TSS + 4n, 8, STACK);
    for (const vector of [0x80, VECTOR.GP]) setGate(memory, vector, true);
    deliver(processor, { vector: 0x80, source: 'software' });
    // #GP instead, whose error code names the gate, and not that it came from outside.
    assert.equal(stackOf(memory, general.rsp, 1)[0], BigInt(0x80 * 8 + 2));
  });

  test('what is wrong with the gate or the segment shows in vector and error code', () => {
    const cases: [string, Parameters<typeof setGate>[3], number, number][] = [
      ['no gate', { type: 0 }, VECTOR.GP, 0x40 * 8 + 3],
      ['not present', { present: false }, VECTOR.NP, 0x40 * 8 + 3],
      ['null segment', { selector: 0 }, VECTOR.GP, 1],
      ['a data segment', { selector: KERNEL_DATA }, VECTOR.GP, KERNEL_DATA + 1],
      ['beyond the GDT', { selector: 0x48 }, VECTOR.GP, 0x49],
    ];
    for (const [name, part, vector, errorCode] of cases) {
      const { memory, general, processor } = machine('long');
      for (const handler of [VECTOR.GP, VECTOR.NP]) setGate(memory, handler, true, { ist: handler - 10 });
      memory.write(TSS + 36n, 8, 0xa000n); // IST1: #NP
      memory.write(TSS + 36n + 16n, 8, 0xb000n); // IST3: #GP
      setGate(memory, 0x40, true, part);
      deliver(processor, external(0x40));
      assert.equal(general.rsp, (vector === VECTOR.GP ? 0xb000n : 0xa000n) - 48n, name);
      assert.equal(stackOf(memory, general.rsp, 1)[0], BigInt(errorCode), name);
    }
  });

  test('a fault in the delivery of a page fault is a double fault, one in that a triple fault', () => {
    const { memory, general, special, processor } = machine('long');
    general.rsp = 0x50_0000n;
    setGate(memory, VECTOR.PF, true);
    setGate(memory, VECTOR.DF, true, { ist: 1 });
    memory.write(TSS + 36n, 8, STACK);
    assert.equal(deliver(processor, fault(VECTOR.PF, 2)), 'delivered');
    assert.equal(stackOf(memory, general.rsp, 1)[0], 0n);
    assert.equal(special.cr2, 0x50_0000n - 8n);
    setGate(memory, VECTOR.DF, true, { present: false });
    general.rsp = 0x50_0000n;
    const before = { ...general };
    assert.equal(deliver(processor, fault(VECTOR.PF, 2)), 'triple-fault');
    assert.deepEqual(general, before);
  });

  test('a page fault in the delivery of an interrupt is a page fault', () => {
    const { memory, general, special, processor } = machine('long');
    general.rsp = 0x50_0000n;
    setGate(memory, 0x40, true);
    setGate(memory, VECTOR.PF, true, { ist: 1 });
    memory.write(TSS + 36n, 8, STACK);
    deliver(processor, external(0x40));
    assert.equal(stackOf(memory, general.rsp, 1)[0], 2n);
    assert.equal(special.cr2, 0x50_0000n - 8n);
  });
});

describe('protected mode', () => {
  test('a 32-bit gate from user mode: SS and ESP from the TSS, frame of 32 bits', () => {
    const { memory, general, special, processor } = machine('protected', 3);
    memory.write(TSS + 4n, 4, STACK);
    memory.write(TSS + 8n, 2, BigInt(KERNEL_DATA));
    setGate(memory, VECTOR.GP, false);
    deliver(processor, fault(VECTOR.GP, 0));
    assert.equal(general.rsp, STACK - 24n);
    assert.deepEqual(stackOf(memory, general.rsp, 6, 4), [
      ...[0n, 0x1234n, 0x1bn, 0x202n | RFLAGS.RF, USER_STACK, 0x23n],
    ]);
    assert.equal(special.ss.selector, KERNEL_DATA);
  });

  test('a stack segment of the wrong privilege is #TS', () => {
    const { memory, general, processor } = machine('protected', 3);
    memory.write(TSS + 8n, 2, 0x1bn);
    setGate(memory, 0x40, false);
    setGate(memory, VECTOR.TS, false, { selector: USER_CODE });
    setGate(memory, VECTOR.GP, false, { selector: USER_CODE });
    deliver(processor, external(0x40));
    assert.equal(stackOf(memory, general.rsp, 1, 4)[0], 0x19n);
  });

  test('a 16-bit gate pushes 16 bits', () => {
    const { memory, general, processor } = machine('protected');
    setGate(memory, 0x40, false, { type: 6 });
    deliver(processor, external(0x40));
    assert.equal(general.rsp, 0x8008n - 6n);
    assert.deepEqual(stackOf(memory, general.rsp, 3, 2), [0x1234n, 8n, 0x202n]);
  });

  test('from virtual-8086 mode the data segments are pushed and cleared', () => {
    const { memory, general, special, processor } = machine('protected', 3);
    general.rflags |= RFLAGS.VM;
    memory.write(TSS + 4n, 4, STACK);
    memory.write(TSS + 8n, 2, BigInt(KERNEL_DATA));
    setGate(memory, 0x40, false);
    deliver(processor, external(0x40));
    assert.equal(general.rsp, STACK - 36n);
    assert.deepEqual([special.ds.selector, special.gs.unusable], [0, true]);
    assert.equal(general.rflags & RFLAGS.VM, 0n);
  });
});

describe('real mode', () => {
  test('three words on the stack, and the vector table', () => {
    const { memory, general, special, processor } = machine('real');
    special.idt = { base: 0n, limit: 0x3ff };
    special.ss = flat({ base: 0n, defaultBig: false });
    special.cs = flat({ selector: 0x123, base: 0x1230n });
    general.rsp = 0n;
    memory.write(0x40n * 4n, 4, 0x0200_0042n);
    deliver(processor, external(0x40));
    assert.deepEqual([general.rip, special.cs.selector, special.cs.base], [0x42n, 0x200, 0x2000n]);
    assert.equal(general.rsp, 0xfffan);
    assert.deepEqual(stackOf(memory, 0xfffan, 3, 2), [0x1234n, 0x123n, 0x202n]);
  });
});
