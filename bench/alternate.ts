/** Takes samples of several subjects in turns, so that what changes on the machine meanwhile meets all of them. */

import type { HereOptions } from './options.ts';
import type { Measurement, Unit } from './report.ts';
import { formatFigure } from './report-table.ts';

export interface Subject {
  readonly name: string;
}

/** One thing that subjects are made to do, and the quantities that are read off each time. */
export interface Scenario<S extends Subject> {
  /** For progress and for choosing it. */
  readonly name: string;
  readonly quantities: readonly { readonly name: string; readonly unit: Unit }[];
  readonly subjects: readonly S[];
  readonly references: readonly string[];
  /** Does it once. @returns one sample for each quantity. */
  run(subject: S): Promise<readonly number[]>;
}

/** The scenarios that were chosen, one after another. */
export async function measure<S extends Subject>(
  scenarios: readonly Scenario<S>[],
  { only, pairs, say }: Pick<HereOptions, 'only' | 'pairs' | 'say'>,
): Promise<Measurement[]> {
  const chosen = scenarios.filter(({ name }) => only.length === 0 || only.includes(name));
  const measurements: Measurement[] = [];
  for (const scenario of chosen) measurements.push(...(await alternate(scenario, pairs, say)));
  return measurements;
}

/**
 * Runs each subject once uncounted, which fills caches, and then in `pairs` rounds. Each round begins with the next
 * subject, so that none always comes after the same other one.
 */
export async function alternate<S extends Subject>(
  scenario: Scenario<S>,
  pairs: number,
  say: (text: string) => void,
): Promise<Measurement[]> {
  const { subjects, quantities, references } = scenario;
  const samples = quantities.map(() => new Map(subjects.map(({ name }) => [name, [] as number[]])));
  for (let round = 0; round <= pairs; round++) {
    for (const subject of rotate(subjects, round)) {
      const values = await scenario.run(subject);
      const figures = values.map((value, i) => `${formatFigure(value)} ${quantities[i]?.unit ?? ''}`);
      say(
        `${scenario.name}, ${round === 0 ? 'uncounted' : `${round} of ${pairs}`}: ${subject.name} ${figures.join(', ')}`,
      );
      if (round > 0) for (const [i, value] of values.entries()) samples[i]?.get(subject.name)?.push(value);
    }
  }
  return quantities.map(({ name, unit }, i) => ({ name, unit, references, samples: samples[i]! }));
}

function rotate<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
