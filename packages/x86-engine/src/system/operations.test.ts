import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { flat, GDT, IDT, machine, TSS, USER_STACK } from '../testing/test-processor.ts';
import { deliver } from './event-delivery.ts';
import { GuestFault } from './guest-fault.ts';
import { OPERATIONS } from './operations.ts';
import { RFLAGS } from './processor.ts';
import type { Operands } from './system-processor.ts';

/** Values where things change: small numbers, edges of 16, 32 and 48 bits, and anything. */
const word = fc.oneof(
  fc.bigInt(0n, 0x40n),
  fc.bigInt(0n, 0x1_0000n),
  fc.constantFrom(0xffffn, 0xffff_ffffn, 0x7fff_ffff_ffffn, 0x8000_0000_0000n, (1n << 64n) - 8n),
  fc.bigInt(0n, (1n << 64n) - 1n),
);

/** What stacks and tasks hold: an offset and a selector of the table in every width. */
const place = fc.oneof(
  word,
  fc.integer({ min: 1, max: 23 }).map((entry) => BigInt(entry * 8)),
  fc.integer({ min: 1, max: 23 }).map((entry) => BigInt(entry * 8 + 3)),
  fc.tuple(fc.nat(0xbf), fc.nat(0xffff)).map(([high, low]) => (BigInt(high) << 32n) | BigInt(low)),
);

/** Descriptors of which most are present and somewhere in memory: segments, gates to a low selector, TSSs. */
const descriptor = fc
  .record({
    // Often what transfers can go to: code, data, call gates, TSSs.
    type: fc.oneof(fc.constantFrom(27, 31, 19, 12, 9, 11), fc.integer({ min: 0, max: 31 })),
    dpl: fc.constantFrom(0, 3, 3, 1),
    present: fc.integer({ min: 0, max: 7 }),
    low: fc.oneof(fc.constantFrom(0x0000_ffff, 0x0008_1234, 0x0030_1234, 0x4000_0067), fc.nat(0xffffffff)),
    high: fc.oneof(fc.constant(0), fc.nat(0xff)),
    flags: fc.oneof(fc.constantFrom(0xa, 0xc), fc.nat(15)),
  })
  .map(({ type, dpl, present, low, high, flags }) => {
    const access = type | (dpl << 5) | (present === 0 ? 0 : 0x80);
    const upper = BigInt((access << 8) | (flags << 20)) | (BigInt(high) << 24n) | 0xf_0000n;
    return (upper << 32n) | BigInt(low >>> 0);
  });

const state = fc.record({
  mode: fc.constantFrom('long', 'protected', 'real', 'virtual-8086'),
  cpl: fc.constantFrom(0 as const, 3 as const),
  registers: fc.array(word, { minLength: 8, maxLength: 8 }),
  flags: fc.oneof(fc.constantFrom(0x202n, 0x3202n), fc.bigInt(0n, 0x3f_ffffn)),
  cr4: fc.bigInt(0n, 0x3f_ffffn),
  efer: fc.constantFrom(0n, 1n, 0x101n),
  table: fc.array(descriptor, { minLength: 24, maxLength: 24 }),
  gates: fc.array(descriptor, { minLength: 16, maxLength: 16 }),
  task: fc.array(place, { minLength: 13, maxLength: 13 }),
  stack: fc.array(place, { minLength: 12, maxLength: 12 }),
  compatibility: fc.boolean(),
  dr7: fc.constantFrom(0n, 0x2000n),
});
type State = typeof state extends fc.Arbitrary<infer T> ? T : never;

function processorOf(of: State) {
  const { general, special, memory, processor } = machine(
    of.mode === 'virtual-8086' ? 'protected' : (of.mode as 'long' | 'protected' | 'real'),
    of.mode === 'virtual-8086' ? 3 : of.mode === 'real' ? 0 : of.cpl,
  );
  for (const [at, name] of (['rax', 'rcx', 'rdx', 'rbx', 'rbp', 'rsi', 'rdi', 'r8'] as const).entries())
    general[name] = of.registers[at]!;
  general.rflags = (of.flags & ~RFLAGS.VM) | 2n | (of.mode === 'virtual-8086' ? RFLAGS.VM : 0n);
  special.cr4 = of.cr4;
  special.efer |= of.efer;
  special.gdt.limit = 0xbf;
  if (of.compatibility) special.cs = { ...special.cs, long: false, defaultBig: true };
  special.ldt = flat({ base: GDT, limit: 0x3f, type: 2, nonSystem: false });
  for (const [at, value] of of.table.entries()) if (at > 5) memory.write(GDT + BigInt(at * 8), 8, value);
  for (const [at, value] of of.gates.entries()) memory.write(IDT + BigInt(at * 8), 8, value);
  for (const [at, value] of of.task.entries()) memory.write(TSS + BigInt(at * 8), 8, value);
  for (const [at, value] of of.stack.entries())
    memory.write((general.rsp & 0xfff8n) + BigInt(at * 8), 8, value);
  processor.debug.dr7 = of.dr7;
  return processor;
}

const operation = fc.constantFrom(...(Object.keys(OPERATIONS) as (keyof typeof OPERATIONS)[]));
const operands: fc.Arbitrary<Operands> = fc.record({
  a: fc.oneof(
    word,
    // The stacks of both privilege levels, where pointers are.
    fc.constantFrom(0x8008n, USER_STACK),
    fc
      .tuple(fc.nat(0xbf), fc.nat(0xffff))
      .map(([selector, offset]) => (BigInt(selector) << 32n) | BigInt(offset)),
  ),
  b: word,
  operandBits: fc.constantFrom(16 as const, 32 as const, 64 as const),
});

test('whatever registers, tables and operands are, an operation throws guest faults only, and then no register has changed', () => {
  fc.assert(
    fc.property(state, operation, operands, (of, name, given) => {
      const processor = processorOf(of);
      const { general, special } = processor;
      const before = structuredClone({ general, special });
      try {
        const result = OPERATIONS[name](processor, given);
        if (result !== undefined) assert.ok(result >= 0n && result < 1n << 64n, name);
        for (const value of Object.values(general)) assert.ok(value >= 0n && value < 1n << 64n, name);
      } catch (error) {
        assert.ok(error instanceof GuestFault, `${name}: ${error}`);
        assert.deepEqual({ general, special }, before, name);
      }
    }),
    { numRuns: 10_000, seed: 7 },
  );
});

test('whatever the tables are, an event is delivered or ends in a triple fault', () => {
  const event = fc.record({
    vector: fc.nat(31),
    errorCode: fc.nat(0xffff),
    source: fc.constantFrom('exception' as const, 'external' as const, 'software' as const),
  });
  fc.assert(
    fc.property(state, event, (of, given) => {
      const processor = processorOf(of);
      assert.ok(['delivered', 'triple-fault'].includes(deliver(processor, given)));
      assert.ok(Object.values(processor.general).every((value) => value >= 0n && value < 1n << 64n));
    }),
    { numRuns: 2000, seed: 7 },
  );
});
