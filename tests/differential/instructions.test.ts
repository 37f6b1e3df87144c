/** The engine against the host's processor, on every encoding of the table that runs in 64-bit user mode. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { type BatchResult, runBatch, VARIANTS } from './batch.ts';
import { Coverage, describeCoverage } from './coverage.ts';
import { EngineMachine } from './engine-machine.ts';
import { whyLeftOut } from './exclusions.ts';
import { Silicon } from './native/silicon.ts';
import { reproducer } from './reproducer.ts';

/** Each of them is a round through the table. */
const SEEDS = [2026, 2027];
const LEAST_CASES = 200_000;

const unavailable = Silicon.unavailable();
const places = VARIANTS.keys().toArray();
const byMnemonic = Map.groupBy(places, (place) => VARIANTS[place]!.instruction.mnemonic);

describe('as on silicon', { skip: unavailable ?? false }, () => {
  if (unavailable !== undefined) return;
  const silicon = Silicon.open();
  const engine = new EngineMachine();
  after(() => silicon[Symbol.dispose]());

  /** What a test has run need not be run again to be counted. */
  const results = new Map<number, readonly BatchResult[]>();
  function resultsOf(place: number): readonly BatchResult[] {
    if (whyLeftOut(VARIANTS[place]!) !== undefined) return [];
    const known = results.get(place);
    if (known) return known;
    const made = SEEDS.map((seed) => runBatch({ silicon, engine }, seed, place));
    results.set(place, made);
    return made;
  }

  for (const [mnemonic, all] of byMnemonic) {
    const reasons = all.map((place) => whyLeftOut(VARIANTS[place]!));
    test(mnemonic, { skip: reasons.includes(undefined) ? false : reasons[0]! }, () => {
      for (const place of all)
        for (const [round, { difference }] of resultsOf(place).entries())
          assert.equal(difference && reproducer(difference, SEEDS[round]!), undefined);
    });
  }

  test('in 200,000 cases or more', (t) => {
    const cases = places.flatMap(resultsOf).reduce((sum, each) => sum + each.cases, 0);
    t.diagnostic(`${cases.toLocaleString('en')} cases from the seeds ${SEEDS.join(' and ')}`);
    assert.ok(cases >= LEAST_CASES, `${cases} cases`);
  });

  test('in every encoding that is not left out by rule', (t) => {
    const coverage = new Coverage(VARIANTS, whyLeftOut);
    for (const place of places)
      if (resultsOf(place).some(({ isExercised }) => isExercised)) coverage.addExercised(VARIANTS[place]!);
    const report = coverage.report();
    for (const line of describeCoverage(report)) t.diagnostic(line);
    assert.deepEqual(report.missing, []);
  });
});
