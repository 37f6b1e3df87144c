import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { VARIANTS } from './batch.ts';
import { Coverage, describeCoverage } from './coverage.ts';
import { needsSystem, whyLeftOut } from './exclusions.ts';

const variantsOf = (wanted: string): Variant[] =>
  VARIANTS.filter(({ instruction }) => instruction.mnemonic === wanted);

test('an encoding counts when one of its variants was exercised', () => {
  const [add, ...others] = variantsOf('ADD');
  const coverage = new Coverage([add!, ...others], () => undefined);
  coverage.addExercised(add!);
  const { encodings, exercisedEncodings, exercisedVariants } = coverage.report();
  assert.deepEqual(
    { encodings, exercisedEncodings, exercisedVariants },
    {
      encodings: 10,
      exercisedEncodings: 1,
      exercisedVariants: 1,
    },
  );
});

test('an encoding that was not exercised is missing unless all of its variants are left out', () => {
  const bswap = variantsOf('BSWAP');
  assert.deepEqual(new Coverage(bswap, () => undefined).report().missing, ['BSWAP 0F C8 +r']);
  const but = new Coverage(bswap, ({ operandBits }) => (operandBits === 16 ? 'undefined' : undefined));
  assert.equal(but.report().missing.length, 1);
  const all = new Coverage(bswap, () => 'for a reason').report();
  assert.deepEqual(all.missing, []);
  assert.deepEqual([...all.leftOut], [['for a reason', ['BSWAP 0F C8 +r']]]);
});

test('the report names what is left out and what is missing', () => {
  const variants = [...variantsOf('AAA'), ...variantsOf('BSWAP')];
  const lines = describeCoverage(new Coverage(variants, whyLeftOut).report());
  assert.match(lines[0]!, /^0 of 2 encodings/);
  assert.equal(lines[1], '1 left out, 64-bit mode has no such encoding: AAA 37');
  assert.equal(lines[2], '1 not exercised: BSWAP 0F C8 +r');
});

test('rows that the table marks as the system’s, or with its registers, are told from others', () => {
  const [add] = variantsOf('ADD');
  const { instruction, encoding } = add!;
  const [operand] = encoding.operands;
  const control = { ...encoding, operands: [{ ...operand!, registers: 'control' as const }] };
  assert.equal(needsSystem(add!), false);
  assert.equal(needsSystem({ instruction: { ...instruction, ...{ system: true } }, encoding }), true);
  assert.equal(needsSystem({ instruction, encoding: control }), true);
});
