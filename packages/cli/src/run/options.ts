/** What `vireo run` can be told: one table, from which the arguments are read and the help is made. */
import { UserError } from '@vireo/errors';
import { parseSize, quote } from '../size.ts';

export interface OptionSpec {
  /** Without the dashes. */
  readonly name: string;
  /** What the help calls the value; a switch has none. */
  readonly value?: string;
  readonly help: string;
}

export const RUN_OPTIONS: readonly OptionSpec[] = [
  {
    name: 'accel',
    value: 'ACCEL',
    help: "what runs the processors: kvm, wasm (Vireo's engine) or auto (default: auto)",
  },
  { name: 'cpus', value: 'N', help: 'how many vCPUs, 1 to 64 (default: 1)' },
  { name: 'memory', value: 'SIZE', help: "the guest's memory, such as 512M or 2G (default: 512M)" },
  {
    name: 'kernel',
    value: 'FILE',
    help: 'a Linux kernel, vmlinux or bzImage (default: a small Debian guest)',
  },
  { name: 'initrd', value: 'FILE', help: 'the initial RAM file system to go with it' },
  { name: 'append', value: 'ARGS', help: "kernel arguments, added after Vireo's own" },
  { name: 'name', value: 'NAME', help: 'what ps and other commands call the VM (default: vm-PID)' },
  { name: 'no-reboot', help: 'end when the guest resets, instead of starting it again' },
  {
    name: 'verbose',
    help: "show the registers when the guest fails, and instructions that Vireo's engine lacks",
  },
];

export interface RunOptions {
  readonly accelerator: 'auto' | 'kvm' | 'wasm';
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append: string;
  readonly name: string;
  readonly noReboot: boolean;
  readonly verbose: boolean;
}

export type RawValues = Readonly<Record<string, string | boolean | undefined>>;

const MAX_CPUS = 64;
const MAX_NAME_LENGTH = 63;

/**
 * Reads arguments without loading the command line parser (a third of the time to the guest's first instruction).
 * Undefined when there is anything to say about them: the parser then finds it again and says it well.
 */
export function readRunArguments(args: readonly string[]): RawValues | undefined {
  const { parseArgs } = process.getBuiltinModule('node:util');
  const options = Object.fromEntries(
    RUN_OPTIONS.map(({ name, value }) => [
      name,
      { type: value ? ('string' as const) : ('boolean' as const) },
    ]),
  );
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values as RawValues;
  } catch {
    return undefined;
  }
}

/** @throws UserError for values that are none. */
export function toRunOptions(values: RawValues): RunOptions {
  const text = (name: string) => (typeof values[name] === 'string' ? values[name] : undefined);
  const kernel = text('kernel');
  const initrd = text('initrd');
  return {
    accelerator: parseAccelerator(text('accel') ?? 'auto'),
    cpus: parseCpus(text('cpus') ?? '1'),
    memoryBytes: parseSize('--memory', text('memory') ?? '512M'),
    ...(kernel === undefined ? {} : { kernel }),
    ...(initrd === undefined ? {} : { initrd }),
    append: parseAppend(text('append') ?? ''),
    name: parseName(text('name') ?? `vm-${process.pid}`),
    noReboot: values['no-reboot'] === true,
    verbose: values['verbose'] === true,
  };
}

function parseAccelerator(text: string): RunOptions['accelerator'] {
  if (text === 'auto' || text === 'kvm' || text === 'wasm') return text;
  throw new UserError('bad-accelerator', `--accel ${quote(text)} is not known`, 'Use auto, kvm or wasm.');
}

function parseCpus(text: string): number {
  const cpus = Number(text);
  if (/^\d{1,3}$/.test(text) && cpus >= 1 && cpus <= MAX_CPUS) return cpus;
  throw new UserError(
    'bad-cpus',
    `--cpus ${quote(text)} is not possible`,
    `Use a number from 1 to ${MAX_CPUS}.`,
  );
}

/** The name goes into process titles and, later, into paths. */
function parseName(text: string): string {
  if (/^[A-Za-z0-9][\w.-]*$/.test(text) && text.length <= MAX_NAME_LENGTH) return text;
  throw new UserError(
    'bad-name',
    `--name ${quote(text)} cannot name a VM`,
    `Use up to ${MAX_NAME_LENGTH} letters, digits, dots, dashes and underscores, a letter or digit first.`,
  );
}

/** The boot protocol's command line is a C string on one line. */
function parseAppend(text: string): string {
  for (const character of text)
    if (character < ' ' || character === '\x7f')
      throw new UserError(
        'bad-append',
        '--append has a control character in it',
        'Write the kernel arguments on one line, with spaces between them.',
      );
  return text;
}
