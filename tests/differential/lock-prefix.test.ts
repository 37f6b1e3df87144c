/** LOCK where it may not be is #UD (Intel SDM Vol. 2A "LOCK—Assert LOCK# Signal Prefix"), on silicon and in the decoder. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from '@vireo/x86-isa';
import { VARIANTS } from './batch.ts';
import { chooseCode } from './case-generator.ts';
import { whyLeftOut } from './exclusions.ts';
import { encode } from './instruction-encoder.ts';
import { LAYOUT } from './native/address-space.ts';
import { RFLAGS_FIXED } from './native/machine-state.ts';
import { Silicon } from './native/silicon.ts';
import { Random } from './random.ts';
import { START_OF_DATA } from './test-case.ts';

const SEED = 2026n;
const unlockable = VARIANTS.filter(
  (variant) => whyLeftOut(variant) === undefined && !(variant.encoding.lockable && variant.rm !== 'register'),
);

test('LOCK is refused without a destination in memory', { skip: Silicon.unavailable() ?? false }, () => {
  using silicon = Silicon.open();
  const random = new Random(SEED);
  for (const variant of unlockable) {
    const { choice } = chooseCode(random, variant, START_OF_DATA);
    const code = encode({ ...choice, lock: true });
    const state = { registers: new BigUint64Array(16), rip: BigInt(LAYOUT.codeGva), rflags: RFLAGS_FIXED };
    const name = `${variant.instruction.mnemonic} ${Buffer.from(code).toString('hex')}`;
    assert.equal(silicon.run({ code, state }).fault?.kind, 'ill', name);
    assert.equal(decode(code, 64), 'invalid', name);
  }
});
