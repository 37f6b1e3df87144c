/** `npm run fuzz:silicon`: looks for differences between the engine and the host's processor, from new seeds. */
import { UserError } from '@vireo/errors';
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { CASES_PER_BATCH, type Difference, runBatch, VARIANTS } from './batch.ts';
import type { Machines } from './compare.ts';
import { Coverage, describeCoverage } from './coverage.ts';
import { EngineMachine } from './engine-machine.ts';
import { whyLeftOut } from './exclusions.ts';
import { type FuzzOptions, parseFuzzOptions, USAGE } from './fuzz-options.ts';
import { Silicon, SiliconUnavailable } from './native/silicon.ts';
import { reproducer } from './reproducer.ts';

const USAGE_ERROR = 2;
const PROGRESS_MS = 10_000;
/** Of one instruction more would hardly tell more. */
const REPORTS_OF_ONE = 3;

class Fuzzer {
  readonly #machines: Machines;
  readonly #options: FuzzOptions;
  readonly #coverage: Coverage;
  /** Places in VARIANTS. */
  readonly #places: readonly number[];
  readonly #start = performance.now();
  readonly #differences = new Map<string, number>();
  #lastProgress = this.#start;
  #cases = 0;

  constructor(machines: Machines, options: FuzzOptions) {
    this.#machines = machines;
    this.#options = options;
    const isChosen = ({ instruction }: Variant) =>
      options.only.length === 0 || options.only.includes(instruction.mnemonic);
    const why = (variant: Variant) => whyLeftOut(variant, options.hiddenToo);
    this.#coverage = new Coverage(VARIANTS.filter(isChosen), why);
    this.#places = [...VARIANTS.entries()]
      .filter(([, variant]) => isChosen(variant) && why(variant) === undefined)
      .map(([place]) => place);
  }

  /** @returns whether nothing differed */
  run(): boolean {
    const { minutes, seed } = this.#options;
    const end = this.#start + minutes * 60_000;
    print(`seed ${seed}, ${this.#places.length * CASES_PER_BATCH} cases in a round`);
    for (let round = seed; this.#places.length > 0 && performance.now() < end; round = (round + 1) >>> 0)
      for (const place of this.#places) {
        if (performance.now() >= end) break;
        this.#runBatch(round, place);
      }
    this.#printProgress();
    for (const line of describeCoverage(this.#coverage.report())) print(line);
    return this.#differences.size === 0;
  }

  /** One case again. @returns whether nothing differed */
  runOne(caseNumber: number): boolean {
    const { seed } = this.#options;
    const place = Math.floor(caseNumber / CASES_PER_BATCH);
    const { difference } = runBatch(this.#machines, seed, place, this.#options);
    if (difference === undefined) print(`case ${caseNumber} of seed ${seed}: no difference`);
    else this.#report(difference, seed);
    return difference === undefined;
  }

  #runBatch(seed: number, place: number): void {
    const { cases, isExercised, difference } = runBatch(this.#machines, seed, place, this.#options);
    this.#cases += cases;
    if (isExercised) this.#coverage.addExercised(VARIANTS[place]!);
    if (difference) this.#report(difference, seed);
    if (performance.now() - this.#lastProgress >= PROGRESS_MS) this.#printProgress();
  }

  #report(difference: Difference, seed: number): void {
    const { mnemonic } = difference.variant.instruction;
    const count = (this.#differences.get(mnemonic) ?? 0) + 1;
    this.#differences.set(mnemonic, count);
    if (count <= REPORTS_OF_ONE) print(`\n${reproducer(difference, seed, this.#options)}\n`);
  }

  #printProgress(): void {
    this.#lastProgress = performance.now();
    const seconds = (this.#lastProgress - this.#start) / 1000;
    const found = [...this.#differences].map(([mnemonic, count]) => `${mnemonic} ${count}`).join(', ');
    const rate = count(this.#cases / seconds);
    print(
      `${seconds.toFixed(0)} s: ${count(this.#cases)} cases, ${rate} a second, ${found || 'no difference'}`,
    );
  }
}

const count = (number: number): string => Math.round(number).toLocaleString('en');

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function main(args: readonly string[]): number {
  const options = parseFuzzOptions(args);
  if (options === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  using silicon = Silicon.open();
  const fuzzer = new Fuzzer({ silicon, engine: new EngineMachine() }, options);
  const { caseNumber } = options;
  return (caseNumber === undefined ? fuzzer.run() : fuzzer.runOne(caseNumber)) ? 0 : 1;
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UserError || error instanceof SiliconUnavailable)) throw error;
  process.stderr.write(`${error.message}${error instanceof UserError && error.fix ? ` ${error.fix}` : ''}\n`);
  process.exitCode = error instanceof UserError ? USAGE_ERROR : 1;
}
