/** The command line of the silicon fuzzer. */
import { parseArgs } from 'node:util';
import { UserError } from '@vireo/errors';
import { INSTRUCTIONS } from '@vireo/x86-isa';
import { CASES_PER_BATCH, VARIANTS } from './batch.ts';

export interface FuzzOptions {
  readonly minutes: number;
  /** Of the first round; the next one has the next number. */
  readonly seed: number;
  /** Mnemonics; all of them when empty. */
  readonly only: readonly string[];
  /** This case of the seed, and nothing else. */
  readonly caseNumber?: number;
  readonly undefinedToo: boolean;
  readonly hiddenToo: boolean;
}

export const USAGE = `Usage: npm run fuzz:silicon -- [--minutes N] [--seed S] [--only MNEMONIC,…] [OPTIONS]

  Runs generated instructions on this host's processor and in the engine, and tells where they differ.

  --minutes N       for so long; fractions are possible (1)
  --seed S          of the first round through the table, 0 to ${2 ** 32 - 1} (chosen by chance)
  --only MNEMONIC   these instructions only, separated by commas
  --case K          only case K of the seed, as a reproducer names it
  --undefined-too   compares flags that the manual leaves undefined, too: for AMD's processors
  --hidden-too      runs what CPUID says the processor has not, which some VMs hide and cannot take away
  --help            this

  Exit status: 0 without a difference, 1 with one, 2 when the arguments cannot be.
`;

const OPTIONS = {
  minutes: { type: 'string' },
  seed: { type: 'string' },
  only: { type: 'string' },
  case: { type: 'string' },
  'undefined-too': { type: 'boolean' },
  'hidden-too': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const MOST_MINUTES = 60 * 24 * 7;
const SEEDS = 2 ** 32;

/** Undefined when help was asked for. @throws UserError */
export function parseFuzzOptions(args: readonly string[], chance = Math.random): FuzzOptions | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  if (values.case !== undefined && values.seed === undefined) throw usage('--case needs --seed.');
  const lastCase = VARIANTS.length * CASES_PER_BATCH - 1;
  return {
    minutes: parseMinutes(values.minutes ?? '1'),
    seed:
      values.seed === undefined
        ? Math.floor(chance() * SEEDS)
        : parseNumber('--seed', values.seed, SEEDS - 1),
    only: values.only === undefined ? [] : parseOnly(values.only),
    ...(values.case !== undefined && { caseNumber: parseNumber('--case', values.case, lastCase) }),
    undefinedToo: values['undefined-too'] ?? false,
    hiddenToo: values['hidden-too'] ?? false,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    // Node's first sentence says what is wrong, the others how options work.
    throw usage(`${(error as Error).message.split(/\.\s/)[0]!.replace(/\.$/, '')}.`);
  }
}

function parseMinutes(text: string): number {
  const minutes = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && minutes > 0 && minutes <= MOST_MINUTES) return minutes;
  throw usage(`--minutes ${text} is not a number of minutes up to ${MOST_MINUTES}.`);
}

function parseNumber(name: string, text: string, most: number): number {
  if (/^\d+$/.test(text) && Number(text) <= most) return Number(text);
  throw usage(`${name} ${text} is not a number from 0 to ${most}.`);
}

function parseOnly(text: string): string[] {
  const names = text.toUpperCase().split(',');
  const unknown = names.find((name) => !INSTRUCTIONS.some(({ mnemonic }) => mnemonic === name));
  if (unknown !== undefined) throw usage(`--only ${unknown} is no instruction of the table.`);
  return names;
}

function usage(message: string): UserError {
  return new UserError('fuzz-usage', message, 'See npm run fuzz:silicon -- --help.');
}
