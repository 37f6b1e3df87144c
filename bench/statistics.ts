/** Medians, ranges and ratios of samples that were taken in pairs. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** How one subject compares with another: sample i of each was taken in round i. */
export interface Ratio {
  readonly ofMedians: number;
  /** Of the rounds' own ratios: what drifts from round to round cancels out in them. */
  readonly perPair: Spread;
}

/** @throws RangeError when there is no sample. */
export function spread(samples: readonly number[]): Spread {
  if (samples.length === 0) throw new RangeError('no samples');
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** @throws RangeError when the samples are not in pairs. */
export function ratio(samples: readonly number[], reference: readonly number[]): Ratio {
  if (samples.length !== reference.length) throw new RangeError('samples are not in pairs');
  const perPair = spread(samples.map((sample, round) => sample / reference[round]!));
  return { ofMedians: spread(samples).median / spread(reference).median, perPair };
}
