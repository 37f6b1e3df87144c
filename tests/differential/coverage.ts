/** Which of the table's encodings were run to their end on both sides, and which are left out, by reason. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import type { Encoding } from '@vireo/x86-isa';

/** Why a variant need not be exercised; undefined when it must be. */
export type Exclusion = (variant: Variant) => string | undefined;

export interface CoverageReport {
  readonly encodings: number;
  readonly exercisedEncodings: number;
  readonly variants: number;
  readonly exercisedVariants: number;
  /** Encodings of which every variant has a reason, by the first one's. */
  readonly leftOut: ReadonlyMap<string, readonly string[]>;
  /** Neither exercised nor left out. */
  readonly missing: readonly string[];
}

export class Coverage {
  readonly #variants: readonly Variant[];
  readonly #whyLeftOut: Exclusion;
  readonly #exercised = new Set<Variant>();

  /** `variants`: those that are counted. */
  constructor(variants: readonly Variant[], whyLeftOut: Exclusion) {
    this.#variants = variants;
    this.#whyLeftOut = whyLeftOut;
  }

  addExercised(variant: Variant): void {
    this.#exercised.add(variant);
  }

  report(): CoverageReport {
    const leftOut = new Map<string, string[]>();
    const missing: string[] = [];
    const byEncoding = Map.groupBy(this.#variants, ({ encoding }) => encoding);
    let exercisedEncodings = 0;
    for (const [encoding, variants] of byEncoding) {
      if (variants.some((variant) => this.#exercised.has(variant))) exercisedEncodings++;
      else this.#sort(encoding, variants, leftOut, missing);
    }
    return {
      ...{ encodings: byEncoding.size, exercisedEncodings },
      ...{ variants: this.#variants.length, exercisedVariants: this.#exercised.size },
      ...{ leftOut, missing },
    };
  }

  #sort(
    { notation }: Encoding,
    variants: readonly Variant[],
    leftOut: Map<string, string[]>,
    missing: string[],
  ): void {
    const name = `${variants[0]!.instruction.mnemonic} ${notation}`;
    const reasons = variants.map((variant) => this.#whyLeftOut(variant));
    if (reasons.includes(undefined)) missing.push(name);
    else leftOut.set(reasons[0]!, [...(leftOut.get(reasons[0]!) ?? []), name]);
  }
}

export function describeCoverage(report: CoverageReport): string[] {
  const { encodings, exercisedEncodings, variants, exercisedVariants, leftOut, missing } = report;
  return [
    `${exercisedEncodings} of ${encodings} encodings in the table exercised on both sides` +
      ` (${exercisedVariants} of ${variants} variants by operand size, kind of operand and prefixes)`,
    ...[...leftOut].map(([reason, names]) => `${names.length} left out, ${reason}: ${names.join(', ')}`),
    ...(missing.length > 0 ? [`${missing.length} not exercised: ${missing.join(', ')}`] : []),
  ];
}
