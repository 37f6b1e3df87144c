/** What a guest can do to its VM's process on the engine: nothing but the exits of the contract, until somebody kicks it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runHostileGuests } from './hostile-run.ts';

const SEED = 2026;
const RUN_MS = 12_000;
/** Many times as many on a machine that has nothing else to do. */
const LEAST_GUESTS = 50;

test('random code in random modes ends in exits of the contract, and a kick ends each run', async (t) => {
  const { failure, guests, exits } = await runHostileGuests({ seed: SEED, milliseconds: RUN_MS });
  assert.equal(failure, undefined);
  t.diagnostic(`${guests} guests from seed ${SEED} on: ${JSON.stringify(exits)}`);
  assert.ok(guests >= LEAST_GUESTS, `${guests} guests`);
  for (const kind of ['io', 'mmio', 'interrupted', 'shutdown']) assert.ok((exits[kind] ?? 0) > 0, kind);
});
