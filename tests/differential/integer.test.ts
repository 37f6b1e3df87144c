/** The engine against the host's processor, on every encoding of the table that runs in 64-bit user mode. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { listVariants, type Variant } from '@vireo/x86-engine/interpreter/variants';
import { generate } from './case-generator.ts';
import { difference } from './compare.ts';
import { EngineMachine } from './engine-machine.ts';
import { Silicon } from './native/silicon.ts';
import { Random } from './random.ts';
import { isVector } from './vector-features.ts';

const ROUNDS = 40;
const SEED = 2026n;

const unavailable = Silicon.unavailable();
const byMnemonic = Map.groupBy(
  listVariants().filter((variant) => runsHere(variant) && !isVector(variant)),
  ({ instruction }) => instruction.mnemonic,
);

/**
 * 16-bit addresses, and what is not in 64-bit mode, cannot be encoded there. Of a near branch with an operand size prefix
 * there, Intel's processors ignore the prefix, as the engine does; AMD's cut RIP to 16 bits.
 */
function runsHere({ rm, encoding, operandBits }: Variant): boolean {
  return rm !== 'memory16' && encoding.modes !== 'not-64' && !(encoding.forces64 && operandBits === 16);
}

describe('as on silicon', { skip: unavailable ?? false }, () => {
  if (unavailable !== undefined) return;
  const silicon = Silicon.open();
  const engine = new EngineMachine();
  after(() => silicon[Symbol.dispose]());
  for (const [mnemonic, variants] of byMnemonic)
    test(mnemonic, () => {
      for (const [place, variant] of variants.entries()) {
        for (let round = 0; round < ROUNDS; round++) {
          const seed = SEED * 1_000_003n + BigInt(place * ROUNDS + round);
          const made = generate(new Random(seed), variant);
          const found = difference(silicon, engine, variant, made);
          const code = Buffer.from(made.code).toString('hex');
          assert.equal(found, undefined, `${variant.encoding.notation}, ${code}, seed ${seed}: ${found}`);
        }
      }
    });
});
