/** The command line of the benchmarks: `bench BENCHMARK [OPTIONS]`. */
import { UserError } from '@vireo/errors';
import { CPU_PROGRAM_NAMES } from './cpu/programs.ts';

/** What can be chosen with --only, in the order in which it runs. */
export const SCENARIOS = {
  boot: [
    ...(['first-instruction', 'kernel', 'console', 'memory'] as const),
    ...(['serial-string', 'serial-linux', 'serial-polled'] as const),
  ],
  exits: ['pio-out', 'pio-in', 'mmio-write', 'mmio-read'],
  cpu: CPU_PROGRAM_NAMES,
} as const;
export const BENCHMARKS = ['boot', 'exits', 'cpu'] as const;
export const FORMATS = ['table', 'markdown', 'json'] as const;
export const PLACES = ['auto', 'host', 'lab'] as const;
export const ACCELERATORS = ['kvm', 'wasm'] as const;
export const MONITORS = ['vireo', 'qemu'] as const;

export interface BenchOptions {
  readonly benchmark: (typeof BENCHMARKS)[number];
  readonly pairs: number;
  /** Names of scenarios; all of them when empty. */
  readonly only: readonly string[];
  readonly on: (typeof PLACES)[number];
  readonly accelerator: (typeof ACCELERATORS)[number];
  /** Whose guests of cpu are measured. */
  readonly monitors: readonly (typeof MONITORS)[number][];
  /** What QEMU's engine shows guests. */
  readonly qemuCpu: string;
  /** Of the iterations that the guest programs do by default. */
  readonly scalePercent: number;
  readonly format: (typeof FORMATS)[number];
  /** Where the JSON goes as well. */
  readonly jsonFile?: string;
  readonly guestMemoryMib: number;
  readonly guestCpus: number;
  /** How much a guest writes to its serial port. */
  readonly serialKib: number;
  /** Exits in each round. */
  readonly exits: number;
  readonly labMemoryMib: number;
  readonly timeoutSeconds: number;
  /** Set for the run inside the lab, which has KVM, and a read-only repository in which all is built already. */
  readonly insideLab: boolean;
}

/** For the machine the benchmark is on, which may be the lab. */
export interface HereOptions extends BenchOptions {
  readonly root: string;
  /** KVM here runs integer code only. */
  readonly tinyGuestsOnly: boolean;
  readonly say: (text: string) => void;
}

export const USAGE = `Usage: npm run bench -- boot|exits|cpu [OPTIONS]

  boot   vireo run and QEMU (q35 and microvm, both with -accel kvm), by turns, with the same guests
  exits  what a PIO or MMIO exit costs in Vireo and in a C program
  cpu    programs in guests of Vireo's own engine and of QEMU's (TCG), by turns, and on this host itself

  --pairs N         rounds, each with one run of every subject (5); --runs N says the same
  --only NAMES      some scenarios, separated by commas
                    boot: ${SCENARIOS.boot.join(', ')}
                    exits: ${SCENARIOS.exits.join(', ')}
                    cpu: ${SCENARIOS.cpu.slice(0, 7).join(', ')},
                    ${SCENARIOS.cpu.slice(7).join(', ')}
  --accel ACCEL     kvm or wasm, for boot: wasm compares Vireo's own engine with QEMU's, on this host (kvm)
  --on PLACE        auto, host or lab (auto: here if /dev/kvm can run the guests, else in the KVM lab)
  --format FORMAT   table, markdown or json (table)
  --json FILE       writes the JSON to a file as well
  --memory MIB      the guests' memory (512)
  --cpus N          the guests' processors (1)
  --scale PERCENT   how many iterations the programs of cpu do, of what they do by default (100)
  --monitors NAMES  vireo, qemu or both, for cpu (vireo,qemu)
  --qemu-cpu MODEL  the processor that QEMU's engine shows guests (max)
  --serial KIB      what a guest writes to its serial port (128; 1024 take an hour in the lab)
  --exits N         exits in each round of exits (20000)
  --lab-memory MIB  the lab's memory (3072)
  --timeout SECONDS ends the lab after this time (7200)
  --help            this
`;

type Settable = { -readonly [K in keyof BenchOptions]: BenchOptions[K] };

const DEFAULTS: Omit<BenchOptions, 'benchmark'> = {
  pairs: 5,
  only: [],
  on: 'auto',
  accelerator: 'kvm',
  monitors: MONITORS,
  qemuCpu: 'max',
  scalePercent: 100,
  format: 'table',
  guestMemoryMib: 512,
  guestCpus: 1,
  serialKib: 128,
  exits: 20_000,
  labMemoryMib: 3072,
  timeoutSeconds: 7200,
  insideLab: false,
};

const NUMBERS = {
  '--pairs': { key: 'pairs', most: 1000 },
  '--runs': { key: 'pairs', most: 1000 },
  '--scale': { key: 'scalePercent', most: 10_000 },
  '--memory': { key: 'guestMemoryMib', most: 1 << 20 },
  '--cpus': { key: 'guestCpus', most: 64 },
  '--serial': { key: 'serialKib', most: 1 << 16 },
  '--exits': { key: 'exits', most: 100_000_000 },
  '--lab-memory': { key: 'labMemoryMib', most: 1 << 20 },
  '--timeout': { key: 'timeoutSeconds', most: 86_400 },
} as const;

/** Undefined when help was asked for. @throws UserError */
export function parseBenchOptions(args: readonly string[]): BenchOptions | undefined {
  const [benchmark, ...rest] = args;
  if (args.length === 0 || args.includes('--help') || args.includes('-h')) return undefined;
  const options: Settable = { benchmark: oneOf('The benchmark', BENCHMARKS, benchmark), ...DEFAULTS };
  for (let i = 0; i < rest.length; i++) {
    const name = rest[i]!;
    if (name === '--inside-lab') options.insideLab = true;
    else setOption(options, name, rest[++i]);
  }
  checkAccelerator(options, rest.includes('--accel'));
  for (const name of options.only) oneOf('--only', SCENARIOS[options.benchmark], name);
  return options;
}

/** Programs are run by engines in software, exits are KVM's, and a boot may be either's. */
function checkAccelerator(options: Settable, isGiven: boolean): void {
  if (options.benchmark === 'boot') return;
  const only = options.benchmark === 'cpu' ? 'wasm' : 'kvm';
  if (isGiven && options.accelerator !== only) throw usage(`${options.benchmark} is about ${only} only.`);
  options.accelerator = only;
}

/** The words that say the same to the run inside the lab. */
export function benchArguments(options: BenchOptions): string[] {
  const numbers = Object.entries(NUMBERS).flatMap(([name, { key }]) => [name, `${options[key]}`]);
  const only = options.only.length > 0 ? ['--only', options.only.join(',')] : [];
  return [options.benchmark, ...numbers, ...only, '--on', options.on, '--format', options.format];
}

function setOption(options: Settable, name: string, value: string | undefined): void {
  if (value === undefined) throw usage(`${name} needs a value, or is no option.`);
  const number = NUMBERS[name as keyof typeof NUMBERS];
  if (number !== undefined) options[number.key] = parseCount(name, value, number.most);
  else if (name === '--only') options.only = value.split(',');
  else if (name === '--accel') options.accelerator = oneOf(name, ACCELERATORS, value);
  else if (name === '--monitors')
    options.monitors = value.split(',').map((monitor) => oneOf(name, MONITORS, monitor));
  else if (name === '--qemu-cpu') options.qemuCpu = value;
  else if (name === '--on') options.on = oneOf(name, PLACES, value);
  else if (name === '--format') options.format = oneOf(name, FORMATS, value);
  else if (name === '--json') options.jsonFile = value;
  else throw usage(`There is no option ${name}.`);
}

function parseCount(name: string, value: string, most: number): number {
  const count = Number(value);
  if (/^\d+$/.test(value) && count >= 1 && count <= most) return count;
  throw usage(`${name} ${value} is not a number from 1 to ${most}.`);
}

function oneOf<const T extends string>(name: string, choices: readonly T[], value: string | undefined): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw usage(`${name} is ${choices.join(' or ')}, not ${value}.`);
}

function usage(message: string): UserError {
  return new UserError('bench-usage', message, 'See npm run bench -- --help.');
}
