/** What a guest can do to its VM's process on the engine: nothing but the exits of the contract, until somebody kicks it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runHostileGuests } from './hostile-run.ts';

const SEED = 2026;
const RUN_MS = 8000;
/** Many times as many on a machine that has nothing else to do. */
const LEAST_GUESTS = 50;

for (const vcpus of [1, 2])
  test(`random code in random modes on ${vcpus} vCPUs ends in exits of the contract, and a kick ends each run`, async (t) => {
    const { failure, guests, exits } = await runHostileGuests({ seed: SEED, milliseconds: RUN_MS, vcpus });
    assert.equal(failure, undefined);
    t.diagnostic(`${guests} guests from seed ${SEED} on: ${JSON.stringify(exits)}`);
    assert.ok(guests >= LEAST_GUESTS, `${guests} guests`);
    for (const kind of ['io', 'mmio', 'interrupted', 'shutdown']) assert.ok((exits[kind] ?? 0) > 0, kind);
  });
