/** The command line of the lab: `lab [OPTIONS] CMD…`. */
import { UserError } from '@vireo/errors';

export interface LabOptions {
  readonly memoryMib: number;
  readonly cpus: number;
  readonly numaNodes: number;
  /** A host thread for each processor: faster, and not quite sound (machine.ts). */
  readonly parallel: boolean;
  /** Further kernel arguments. */
  readonly append: string;
  /** How long the command may take, 0 for any time. */
  readonly timeoutSeconds: number;
  /** Further Debian packages to have in the lab. */
  readonly packages: readonly string[];
  /** Shows the lab's console and what its start costs. */
  readonly verbose: boolean;
  readonly command: readonly string[];
}

export const USAGE = `Usage: npm run --silent lab -- [OPTIONS] CMD [ARG…]

Runs CMD in a Debian guest that has a working /dev/kvm, under QEMU's software emulation.
The repository is there read-only, at its own path; /tmp is writable.

  --memory SIZE     the lab's memory, such as 3G (2G)
  --cpus N          its processors, in turn on one thread of the host (1)
  --numa N          its NUMA nodes (1)
  --parallel        a thread for each processor: faster, but now and then a program or the lab crashes
  --append ARGS     further kernel arguments
  --timeout SECONDS ends CMD after this time (none)
  --package NAME    a further Debian package inside; may be given again
  --verbose         shows the console, and the time each stage of the start takes
  --help            this

The exit status is CMD's own; 124 when its time ran out, 125 when the lab itself failed.
`;

/** Returns undefined when help was asked for. Everything after the first word that is no option is CMD. */
export function parseLabOptions(args: readonly string[]): LabOptions | undefined {
  const options = {
    memoryMib: 2048,
    cpus: 1,
    numaNodes: 1,
    parallel: false,
    append: '',
    timeoutSeconds: 0,
    packages: [] as string[],
    verbose: false,
  };
  const rest = [...args];
  while (rest[0]?.startsWith('-')) {
    const [name, inline] = splitOption(rest.shift() ?? '');
    if (name === '--') break;
    if (name === '--help' || name === '-h') return undefined;
    if (name === '--verbose') options.verbose = true;
    else if (name === '--parallel') options.parallel = true;
    else {
      const value = inline ?? rest.shift();
      if (value === undefined) throw usage(`${name} needs a value.`);
      setOption(options, name, value);
    }
  }
  if (rest.length === 0) throw usage('No command was given.');
  if (options.numaNodes > options.cpus) throw usage('--numa must not be more than --cpus.');
  return { ...options, command: rest };
}

function splitOption(word: string): [string, string | undefined] {
  const equals = word.indexOf('=');
  return word.startsWith('--') && equals > 0
    ? [word.slice(0, equals), word.slice(equals + 1)]
    : [word, undefined];
}

type Settable = { -readonly [K in keyof Omit<LabOptions, 'command' | 'packages'>]: LabOptions[K] } & {
  packages: string[];
};

function setOption(options: Settable, name: string, value: string): void {
  if (name === '--memory') options.memoryMib = parseMemory(value);
  else if (name === '--cpus') options.cpus = parseCount(name, value, 64);
  else if (name === '--numa') options.numaNodes = parseCount(name, value, 8);
  else if (name === '--append') options.append = value;
  else if (name === '--timeout') options.timeoutSeconds = parseCount(name, value, 86_400);
  else if (name === '--package') options.packages.push(value);
  else throw usage(`The lab has no option ${name}.`);
}

function parseMemory(value: string): number {
  const [, digits, unit] = /^(\d+)([MG]?)$/i.exec(value) ?? [];
  const mib = Number(digits) * (unit?.toUpperCase() === 'G' ? 1024 : 1);
  if (digits === undefined || mib < 256)
    throw usage(`--memory ${value} is not a size from 256M up, such as 3G.`);
  return mib;
}

function parseCount(name: string, value: string, most: number): number {
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1 || count > most) {
    throw usage(`${name} ${value} is not a number from 1 to ${most}.`);
  }
  return count;
}

function usage(message: string): UserError {
  return new UserError('lab-usage', message, 'See npm run lab -- --help.');
}
