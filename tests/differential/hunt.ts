/**
 * Looks for differences between the engine and the host's processor for as long as one likes:
 *
 *     node tests/differential/hunt.ts [--seed N] [--seconds N] [--only REGEXP] [--undefined-too] [--without-feature]
 *
 * `--undefined-too` compares flags that the manual leaves undefined, on AMD's processors; `--without-feature` runs what
 * CPUID says the processor has not, since some VMs hide what they cannot take away.
 */
import { parseArgs } from 'node:util';
import { chooseCode, chooseState } from './case-generator.ts';
import { firstDifference } from './compare.ts';
import { EngineMachine } from './engine-machine.ts';
import { integerVariants, whyNotCompared } from './integer-variants.ts';
import { Silicon } from './native/silicon.ts';
import { Random } from './random.ts';
import { pickWindow } from './test-case.ts';

const STATES = 128;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '60' },
    only: { type: 'string', default: '' },
    'undefined-too': { type: 'boolean', default: false },
    'without-feature': { type: 'boolean', default: false },
  },
});

const only = new RegExp(`^(${values.only || '.*'})$`);
const variants = integerVariants().filter(
  (variant) =>
    only.test(variant.instruction.mnemonic) &&
    (whyNotCompared(variant)?.startsWith(values['without-feature'] ? 'random' : '') ?? false) === false,
);
using silicon = Silicon.open();
const engine = new EngineMachine();
const random = new Random(BigInt(values.seed));
const end = performance.now() + Number(values.seconds) * 1000;
const start = performance.now();
const failed = new Map<string, number>();
let cases = 0;
let rounds = 0;

while (performance.now() < end) {
  for (const variant of variants) {
    const code = chooseCode(random, variant, pickWindow(random));
    const tests = Array.from({ length: STATES }, () => chooseState(random, code));
    const difference = firstDifference(silicon, engine, code, tests, {
      undefinedToo: values['undefined-too'],
    });
    cases += STATES;
    if (difference) report(variant.instruction.mnemonic, variant.encoding.notation, difference);
  }
  rounds++;
}

/** The first few of each instruction. */
function report(
  mnemonic: string,
  notation: string,
  { test, found }: { test: { code: Uint8Array }; found: string },
): void {
  const count = (failed.get(mnemonic) ?? 0) + 1;
  failed.set(mnemonic, count);
  if (count <= 3) console.log(`${mnemonic} ${notation}: ${Buffer.from(test.code).toString('hex')}: ${found}`);
}

const seconds = (performance.now() - start) / 1000;
console.log(
  `seed ${values.seed}: ${cases} cases of ${variants.length} variants in ${rounds} rounds, ${Math.round(cases / seconds)}/s;`,
  failed.size === 0
    ? 'no difference'
    : `differences: ${[...failed].map((each) => each.join(' ')).join(', ')}`,
);
process.exitCode = failed.size === 0 ? 0 : 1;
