/** `bench exits`: what one exit costs in Vireo, beside a C program that serves the same guest. */
import { mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measure, type Scenario, type Subject } from '../alternate.ts';
import { thisEnvironment } from '../environment.ts';
import type { HereOptions } from '../options.ts';
import type { Report } from '../report.ts';
import { type Compilation, CProgram, compileExits } from './c-program.ts';
import {
  EXIT_KINDS,
  type ExitGuest,
  type ExitKind,
  exitGuest,
  LOCAL_PORT,
  MMIO_GPA,
  REMOTE_PORT,
  type Round,
} from './guest.ts';
import { VireoGuest } from './vireo-guest.ts';

export async function runExits(options: HereOptions): Promise<Report> {
  using directory = mkdtempDisposableSync(join(tmpdir(), 'vireo-bench-'));
  const guest = exitGuest();
  const compilation = compileExits();
  const c = startC(compilation, join(directory.path, 'guest'), guest);
  const vireo = VireoGuest.start(guest);
  try {
    const scenarios = exitScenarios(exitSubjects(vireo, c), guest, options.exits);
    const { measurements, mishaps } = await measure(scenarios, options);
    const versions = compilation.kind === 'compiled' ? { 'C compiler': compilation.compiler } : {};
    const environment = thisEnvironment(options.root, versions);
    const allNotes = [...notes(options, compilation), ...mishaps];
    return { benchmark: 'exits', environment, notes: allNotes, measurements };
  } finally {
    c?.close();
    await vireo.close();
  }
}

function startC(compilation: Compilation, file: string, guest: ExitGuest): CProgram | undefined {
  if (compilation.kind === 'missing') return undefined;
  writeFileSync(file, guest.bytes);
  return new CProgram(compilation.program, file, guest, MMIO_GPA);
}

function notes({ exits }: HereOptions, compilation: Compilation): string[] {
  return [
    `Microseconds for one exit, of ${exits} in a row; the guest's loop around it is included in all of them.`,
    compilation.kind === 'compiled'
      ? 'The C program: bench/exits/exits.c, one thread, no library.'
      : `Without the C program: ${compilation.why}.`,
  ];
}

interface ExitSubject extends Subject {
  /** @returns nanoseconds. */
  run(round: Round): Promise<number>;
  /** Decides which device the guest's IN and OUT reach. */
  readonly port: number;
  /** What it has no way to do is left out. */
  readonly kinds: readonly ExitKind[];
}

const C_PROGRAM = 'C program';
const BARE = 'Vireo, Vcpu.run() alone';

const PIO: readonly ExitKind[] = ['pio-out', 'pio-in'];
const TITLES: Readonly<Record<ExitKind, string>> = {
  'pio-out': 'OUT, one byte',
  'pio-in': 'IN, one byte',
  'mmio-write': 'MMIO write, 4 bytes',
  'mmio-read': 'MMIO read, 4 bytes',
};

function exitSubjects(vireo: VireoGuest, c: CProgram | undefined): ExitSubject[] {
  const local = { port: LOCAL_PORT, kinds: PIO };
  const remote = { port: REMOTE_PORT, kinds: EXIT_KINDS };
  return [
    ...(c === undefined ? [] : [{ name: C_PROGRAM, run: (round: Round) => c.run(round), ...remote }]),
    { name: BARE, run: (round) => vireo.run('run', round), ...remote },
    { name: "Vireo, device in the vCPU's thread", run: (round) => vireo.run('exit-loop', round), ...local },
    { name: 'Vireo, device in the main thread', run: (round) => vireo.run('exit-loop', round), ...remote },
  ];
}

function exitScenarios(
  subjects: readonly ExitSubject[],
  guest: ExitGuest,
  count: number,
): Scenario<ExitSubject>[] {
  const reference = subjects.some(({ name }) => name === C_PROGRAM) ? C_PROGRAM : BARE;
  return EXIT_KINDS.map((kind) => ({
    name: kind,
    quantities: [{ name: TITLES[kind], unit: 'µs' }],
    subjects: subjects.filter(({ kinds }) => kinds.includes(kind)),
    references: [reference],
    async run({ run, port }) {
      return [(await run({ entry: guest.entries[kind], count, port })) / count / 1000];
    },
  }));
}
