/** The engine against the host's processor, on every integer encoding of the table that runs in 64-bit user mode. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { chooseCode, chooseState } from './case-generator.ts';
import { difference, firstDifference } from './compare.ts';
import { EngineMachine } from './engine-machine.ts';
import { integerVariants, whyNotCompared } from './integer-variants.ts';
import { Silicon } from './native/silicon.ts';
import { Random } from './random.ts';
import { pickWindow, START_OF_DATA } from './test-case.ts';

/** For each variant: codes, and how many states each of them is run with. */
const CODES = 4;
const STATES = 32;
/** Codes with one state, after which all memory is compared. */
const WITH_ALL_MEMORY = 4;
const SEED = 2026n;

const unavailable = Silicon.unavailable();
const byMnemonic = Map.groupBy(integerVariants(), ({ instruction }) => instruction.mnemonic);

describe('as on silicon', { skip: unavailable ?? false }, () => {
  if (unavailable !== undefined) return;
  const silicon = Silicon.open();
  const engine = new EngineMachine();
  after(() => silicon[Symbol.dispose]());

  function compareOnce(variant: Variant, seed: bigint): void {
    const random = new Random(seed);
    const code = chooseCode(random, variant, START_OF_DATA);
    const found = difference(silicon, engine, code, chooseState(random, code));
    assert.equal(found, undefined, `${describeCode(variant, code.code)}, seed ${seed}: ${found}`);
  }

  function compareMany(variant: Variant, seed: bigint): void {
    const random = new Random(seed);
    const code = chooseCode(random, variant, pickWindow(random));
    const tests = Array.from({ length: STATES }, () => chooseState(random, code));
    const found = firstDifference(silicon, engine, code, tests)?.found;
    assert.equal(found, undefined, `${describeCode(variant, code.code)}, seed ${seed}: ${found}`);
  }

  for (const [mnemonic, variants] of byMnemonic)
    test(mnemonic, { skip: whyNotCompared(variants[0]!) ?? false }, () => {
      for (const [place, variant] of variants.entries()) {
        const seed = (SEED << 32n) + BigInt(place * (CODES + WITH_ALL_MEMORY));
        for (let round = 0; round < CODES; round++) compareMany(variant, seed + BigInt(round));
        for (let round = 0; round < WITH_ALL_MEMORY; round++)
          compareOnce(variant, seed + BigInt(CODES + round));
      }
    });
});

function describeCode({ encoding }: Variant, code: Uint8Array): string {
  return `${encoding.notation}, ${Buffer.from(code).toString('hex')}`;
}
