/** Who makes the states of which instructions. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { chooseState } from './case-generator.ts';
import type { Random } from './random.ts';
import type { TestCase, TestCode } from './test-case.ts';
import { chooseVectorState } from './vector-cases.ts';
import { isVector } from './vector-features.ts';

interface Family {
  takes(variant: Variant): boolean;
  chooseState(random: Random, code: TestCode): TestCase;
}

/** The first that takes it. */
const FAMILIES: readonly Family[] = [
  { takes: isVector, chooseState: chooseVectorState },
  { takes: () => true, chooseState },
];

export function familyOf(variant: Variant): Family {
  return FAMILIES.find(({ takes }) => takes(variant))!;
}
