/**
 * The guest programs (tests/guests/cpu), and how many iterations make about 100 million instructions, a second's work of
 * an engine that does 100 million a second. Those whose time goes into memory or the kernel do fewer, to take as long.
 */
export interface CpuProgram {
  readonly name: string;
  /** For the report. */
  readonly title: string;
  readonly iterations: number;
  /** Runs one thread on each vCPU; the others run one. */
  readonly isParallel?: true;
  /** All iterations execute the same instructions, so they can be counted. */
  readonly isCounted?: true;
}

export const CPU_PROGRAMS = [
  { name: 'integer-mix', title: 'lists, matrices, a state machine, CRC', iterations: 1800, isCounted: true },
  { name: 'recursion', title: 'calls and returns, direct and through pointers', iterations: 1600 },
  { name: 'pointer-chase', title: 'dependent loads all over 8 MiB', iterations: 5000 },
  { name: 'random-access', title: 'loads and stores of all sizes all over 8 MiB', iterations: 7000 },
  { name: 'string-copy', title: 'strings copied, measured and compared by the byte', iterations: 1700 },
  { name: 'block-copy', title: 'REP MOVSB, MOVSQ and STOSB, 1 byte to 16 KiB', iterations: 100_000 },
  { name: 'sha256', title: 'SHA-256', iterations: 380 },
  { name: 'lz', title: 'Lempel-Ziv compression and decompression', iterations: 130 },
  { name: 'nbody', title: 'double-precision n-body', iterations: 170_000 },
  { name: 'float80', title: '80-bit floating point', iterations: 300_000 },
  {
    name: 'atomics',
    title: 'locked increments and exchanges, all vCPUs',
    iterations: 6_000_000,
    isParallel: true,
  },
  { name: 'syscalls', title: 'umask and getppid', iterations: 300_000 },
  { name: 'page-faults', title: 'anonymous memory mapped, touched, unmapped', iterations: 150 },
  { name: 'fork-exec', title: 'fork, exec, exit, wait', iterations: 300 },
] as const satisfies readonly CpuProgram[];

export const CPU_PROGRAM_NAMES = CPU_PROGRAMS.map(({ name }) => name);
