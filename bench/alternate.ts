/** Takes samples of several subjects in turns, so that what changes on the machine meanwhile meets all of them. */
import { UserError } from '@vireo/errors';
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

export interface Outcome {
  readonly measurements: readonly Measurement[];
  /** Runs that failed and were repeated, a sentence each. */
  readonly mishaps: readonly string[];
}

/** Code of the errors that no repetition makes good: what ran computed something else than it should. */
export const WRONG_RESULT = 'bench-wrong-result';

/** How often one run may fail: a VM that crashes now and then must be told of, not lose an hour's measurements. */
const ATTEMPTS = 3;

type MeasureOptions = Pick<HereOptions, 'only' | 'pairs' | 'say'>;

/** The scenarios that were chosen, one after another. */
export async function measure<S extends Subject>(
  scenarios: readonly Scenario<S>[],
  options: MeasureOptions,
): Promise<Outcome> {
  const chosen = scenarios.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  const measurements: Measurement[] = [];
  const mishaps: string[] = [];
  for (const scenario of chosen) {
    const outcome = await alternate(scenario, options);
    measurements.push(...outcome.measurements);
    mishaps.push(...outcome.mishaps);
  }
  return { measurements, mishaps };
}

/**
 * Runs each subject once uncounted, which fills caches, and then in `pairs` rounds. Each round begins with the next
 * subject, so that none always comes after the same other one.
 */
async function alternate<S extends Subject>(
  scenario: Scenario<S>,
  { pairs, say }: MeasureOptions,
): Promise<Outcome> {
  const { subjects, quantities, references } = scenario;
  const samples = quantities.map(() => new Map(subjects.map(({ name }) => [name, [] as number[]])));
  const mishaps: string[] = [];
  for (let round = 0; round <= pairs; round++) {
    const label = `${scenario.name}, ${round === 0 ? 'uncounted' : `${round} of ${pairs}`}`;
    for (const subject of rotate(subjects, round)) {
      const values = await persistently(
        () => scenario.run(subject),
        (error) => {
          mishaps.push(`Repeated: ${label}: ${error.message}`);
          say(`${label}: ${subject.name} failed: ${error.message}`);
        },
      );
      const figures = values.map((value, i) => `${formatFigure(value)} ${quantities[i]?.unit ?? ''}`);
      say(`${label}: ${subject.name} ${figures.join(', ')}`);
      if (round > 0) for (const [i, value] of values.entries()) samples[i]?.get(subject.name)?.push(value);
    }
  }
  const measurements = quantities.map(({ name, unit }, i) => ({
    name,
    unit,
    references,
    samples: samples[i]!,
  }));
  return { measurements, mishaps };
}

async function persistently<T>(run: () => Promise<T>, onFailure: (error: UserError) => void): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof UserError) || error.code === WRONG_RESULT || attempt === ATTEMPTS) throw error;
      onFailure(error);
    }
  }
}

function rotate<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
