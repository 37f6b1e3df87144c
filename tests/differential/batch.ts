/**
 * Cases by number: case K of seed S is always the same. The table's variants follow each other with CASES_PER_BATCH cases
 * each: one code with many states, and last another code by itself, after which all of memory is compared; of x87, codes with a
 * state each.
 */
import { listVariants, type Variant } from '@vireo/x86-engine/interpreter/variants';
import { chooseCode } from './case-generator.ts';
import { type Comparison, compareAll, compareAlone, type Machines, type Outcome } from './compare.ts';
import { familyOf } from './families.ts';
import { Random } from './random.ts';
import { pickWindow, START_OF_DATA, type TestCode } from './test-case.ts';
import { generateX87 } from './x87-cases.ts';
import { compareX87 } from './x87-compare.ts';
import { isX87 } from './x87-features.ts';

export const CASES_PER_BATCH = 64;

export const VARIANTS: readonly Variant[] = listVariants();

export interface Difference extends Outcome {
  readonly variant: Variant;
  readonly code: TestCode;
  readonly caseNumber: number;
  readonly difference: string;
}

export interface BatchResult {
  readonly cases: number;
  /** Some case came to its end on both sides, without a fault, and they agreed. */
  readonly isExercised: boolean;
  /** The first one. */
  readonly difference?: Difference;
}

export interface BatchOptions extends Comparison {
  /** The only case that is compared, of those that are run. */
  readonly caseNumber?: number;
}

/** `place`: the variant's, in VARIANTS. */
export function runBatch(
  machines: Machines,
  seed: number,
  place: number,
  options: BatchOptions = {},
): BatchResult {
  const variant = VARIANTS[place]!;
  let cases = 0;
  let isExercised = false;
  let difference: Difference | undefined;
  for (const [code, outcome] of outcomes(machines, seed, place, options)) {
    const caseNumber = place * CASES_PER_BATCH + cases++;
    if (options.caseNumber !== undefined && options.caseNumber !== caseNumber) continue;
    const { ours, native } = outcome;
    isExercised ||= !outcome.difference && !native.fault && !ours?.fault && ours?.exception === undefined;
    if (outcome.difference !== undefined)
      difference ??= { ...outcome, variant, code, caseNumber, difference: outcome.difference };
  }
  return { cases, isExercised, ...(difference && { difference }) };
}

function* outcomes(
  machines: Machines,
  seed: number,
  place: number,
  comparison: Comparison,
): Generator<[TestCode, Outcome]> {
  const variant = VARIANTS[place]!;
  const random = new Random((BigInt(seed) << 32n) | BigInt(place));
  if (isX87(variant)) {
    yield* x87Outcomes(machines, random, variant);
    return;
  }
  const { chooseState } = familyOf(variant);
  const code = chooseCode(random, variant, pickWindow(random));
  const tests = Array.from({ length: CASES_PER_BATCH - 1 }, () => chooseState(random, code));
  for (const outcome of compareAll(machines, code, tests, comparison)) yield [code, outcome];
  const other = chooseCode(random, variant, START_OF_DATA);
  yield [other, compareAlone(machines, other, chooseState(random, other), comparison)];
}

/** Each with a code of its own; all of memory is compared. */
function* x87Outcomes(machines: Machines, random: Random, variant: Variant): Generator<[TestCode, Outcome]> {
  for (let count = 0; count < CASES_PER_BATCH; count++) {
    const { code, test } = generateX87(random, variant);
    yield [code, compareX87(machines, code, test)];
  }
}
