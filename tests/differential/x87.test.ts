/** The x87 of the engine against the host's processor: registers, all its words, memory and exceptions. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { listVariants, type Variant } from '@vireo/x86-engine/interpreter/variants';
import { EngineMachine } from './engine-machine.ts';
import { missingOnHost } from './host-features.ts';
import { Silicon } from './native/silicon.ts';
import { Random } from './random.ts';
import { generateX87 } from './x87-cases.ts';
import { x87CaseDifference } from './x87-compare.ts';
import { isX87 } from './x87-features.ts';

/** For a long run: VIREO_DIFFERENTIAL_ROUNDS=1000 VIREO_DIFFERENTIAL_SEED=7. */
const ROUNDS = Number(process.env['VIREO_DIFFERENTIAL_ROUNDS'] ?? 150);
const SEED = BigInt(process.env['VIREO_DIFFERENTIAL_SEED'] ?? 2026);

const unavailable = Silicon.unavailable();
const byMnemonic = Map.groupBy(listVariants().filter(runsHere), ({ instruction }) => instruction.mnemonic);

function runsHere(variant: Variant): boolean {
  return isX87(variant) && variant.rm !== 'memory16' && variant.encoding.modes !== 'not-64';
}

describe('x87 as on silicon', { skip: unavailable ?? false }, () => {
  if (unavailable !== undefined) return;
  const silicon = Silicon.open();
  const engine = new EngineMachine();
  after(() => silicon[Symbol.dispose]());
  for (const [mnemonic, variants] of byMnemonic) {
    const skip = missingOnHost(variants[0]?.instruction.feature) ?? false;
    test(mnemonic, { skip }, () => {
      for (const [place, variant] of variants.entries()) {
        for (let round = 0; round < ROUNDS; round++) {
          const seed = SEED * 1_000_003n + BigInt(place * ROUNDS + round);
          const made = generateX87(new Random(seed), variant);
          const found = x87CaseDifference(silicon, engine, variant, made);
          const code = Buffer.from(made.code).toString('hex');
          assert.equal(found, undefined, `${variant.encoding.notation}, ${code}, seed ${seed}: ${found}`);
        }
      }
    });
  }
});
