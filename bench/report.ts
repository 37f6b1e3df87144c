/** What a benchmark hands over: every sample, and on what it was taken. Tables and JSON are made from this. */
import type { Environment } from './environment.ts';
import { type Ratio, ratio, type Spread, spread } from './statistics.ts';

export type Unit = 'ms' | 'µs' | 'MiB' | 'KiB' | 'M/s';

/** One quantity, taken of several subjects in alternating rounds. */
export interface Measurement {
  readonly name: string;
  readonly unit: Unit;
  /** Sample i of each subject was taken in round i. The subjects' order is the table's. */
  readonly samples: ReadonlyMap<string, readonly number[]>;
  /** Which subjects the others are divided by. */
  readonly references: readonly string[];
}

export interface Report {
  readonly benchmark: string;
  readonly environment: Environment;
  /** What was compared and how, a sentence each. */
  readonly notes: readonly string[];
  readonly measurements: readonly Measurement[];
  /** What should have been measured and could not be, a sentence each. */
  readonly failures?: readonly string[];
}

export interface Comparison extends Ratio {
  readonly reference: string;
  /** Median less the reference's median, in the measurement's unit. */
  readonly difference: number;
}

export interface Summary extends Spread {
  readonly subject: string;
  readonly samples: readonly number[];
  readonly comparisons: readonly Comparison[];
}

/** The figures of a measurement, one entry a subject. */
export function summarise({ samples, references }: Measurement): Summary[] {
  return [...samples].map(([subject, values]) => ({
    subject,
    ...spread(values),
    samples: values,
    comparisons: references.flatMap((reference) => {
      const others = samples.get(reference);
      if (others === undefined || references.includes(subject)) return [];
      const difference = spread(values).median - spread(others).median;
      return [{ reference, difference, ...ratio(values, others) }];
    }),
  }));
}

/** The form in which reports are written to files and passed out of the lab. */
export interface JsonReport extends Omit<Report, 'measurements'> {
  readonly measurements: readonly JsonMeasurement[];
}

interface JsonMeasurement extends Omit<Measurement, 'samples'> {
  readonly pairs: number;
  readonly subjects: readonly Summary[];
}

export function toJson(report: Report): JsonReport {
  const measurements = report.measurements.map((measurement) => {
    const { name, unit, references } = measurement;
    const subjects = summarise(measurement);
    return { name, unit, references, pairs: subjects[0]?.samples.length ?? 0, subjects };
  });
  return { ...report, measurements };
}

/** Back from what `toJson` made; the figures are worked out again from the samples. */
export function fromJson(report: JsonReport): Report {
  const measurements = report.measurements.map(({ name, unit, references, subjects }) => ({
    name,
    unit,
    references,
    samples: new Map(subjects.map(({ subject, samples }) => [subject, samples])),
  }));
  return { ...report, measurements };
}
