/**
 * Alignment checks as on silicon: Linux runs programs with CR0.AM, and one that sets RFLAGS.AC has them (Intel SDM
 * Vol. 3A §6.15 "Interrupt 17—Alignment Check Exception (#AC)").
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { VARIANTS } from './batch.ts';
import { chooseCode } from './case-generator.ts';
import { compareAlone } from './compare.ts';
import { EngineMachine } from './engine-machine.ts';
import { whyLeftOut } from './exclusions.ts';
import { familyOf } from './families.ts';
import { describeNative, describeOurs } from './fault-comparison.ts';
import { Silicon } from './native/silicon.ts';
import { Random } from './random.ts';
import { START_OF_DATA } from './test-case.ts';
import { isX87 } from './x87-features.ts';

const SEED = 2026n;
const STATES = 3;
const RFLAGS_AC = 1n << 18n;
const LEAST_MISALIGNED = 500;

const unavailable = Silicon.unavailable();

describe('with alignment checks, as on silicon', { skip: unavailable ?? false }, () => {
  if (unavailable !== undefined) return;
  const silicon = Silicon.open();
  const engine = new EngineMachine();
  engine.checksAlignment = true;
  after(() => silicon[Symbol.dispose]());

  test('each encoding of the table faults where its operand is misaligned, before a page fault', (t) => {
    let misaligned = 0;
    for (const [place, variant] of VARIANTS.entries()) {
      if (variant.rm === 'register' || isX87(variant) || whyLeftOut(variant) !== undefined) continue;
      const random = new Random((SEED << 32n) | BigInt(place));
      const code = chooseCode(random, variant, START_OF_DATA);
      for (let state = 0; state < STATES; state++) {
        const chosen = familyOf(variant).chooseState(random, code);
        const { ours, native, difference } = compareAlone({ silicon, engine }, code, {
          ...chosen,
          rflags: chosen.rflags | RFLAGS_AC,
        });
        if (ours?.fault?.kind === 'misaligned') misaligned++;
        const { mnemonic } = variant.instruction;
        const outcomes = ours && `${describeOurs(ours)}, silicon ${describeNative(native.fault)}`;
        assert.equal(
          difference,
          undefined,
          `${mnemonic} ${Buffer.from(code.code).toString('hex')}: ${outcomes}`,
        );
      }
    }
    t.diagnostic(`${misaligned} accesses were misaligned`);
    assert.ok(misaligned >= LEAST_MISALIGNED, `${misaligned}`);
  });
});
