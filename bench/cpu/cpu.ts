/** `bench cpu`: programs in Linux guests of Vireo's own engine and of QEMU's (TCG), by turns, and on the host itself. */
import { join } from 'node:path';
import { UserError } from '@vireo/errors';
import { measure, type Scenario } from '../alternate.ts';
import { type Monitor, qemuTcg, vireo } from '../boot/monitors.ts';
import { findQemu } from '../boot/qemu.ts';
import { thisEnvironment } from '../environment.ts';
import type { HereOptions } from '../options.ts';
import { linuxFiles } from '../preparation.ts';
import type { Measurement, Report } from '../report.ts';
import { type GuestPrograms, guestPrograms } from './guest-programs.ts';
import { instructionsPerIteration } from './instruction-count.ts';
import { CPU_PROGRAMS, type CpuProgram } from './programs.ts';
import { cpuScenario } from './scenario.ts';
import { type CpuSubject, guestSubject, nativeSubject } from './subjects.ts';

const TCG = 'QEMU TCG';
/** Its processors take turns, as with `-accel tcg,thread=single`. */
const TCG_ONE_THREAD = 'QEMU TCG, one thread';

export async function runCpu(options: HereOptions): Promise<Report> {
  const programs = await guestPrograms();
  const qemu = await findQemu(options.qemuCpu);
  const launcher = join(options.root, 'packages/cli/bin/vireo');
  const chosen = {
    vireo: vireo(launcher, 'wasm'),
    qemu: qemuTcg(TCG, qemu, 'multi'),
  };
  const monitors = options.monitors.map((name) => chosen[name]);
  const parallelOnly = options.guestCpus > 1 ? [qemuTcg(TCG_ONE_THREAD, qemu, 'single')] : [];
  const outcome = await compare({ monitors, parallelOnly, programs, options });
  const environment = thisEnvironment(options.root, { QEMU: qemu.version, gcc: programs.compiler });
  return {
    benchmark: 'cpu',
    environment,
    notes: [...notes(options, qemu.cpu), ...outcome.mishaps],
    ...{ measurements: outcome.measurements, failures: outcome.failures },
  };
}

function notes({ guestMemoryMib, guestCpus }: HereOptions, qemuCpu: string): string[] {
  return [
    `Guests: Debian's cloud kernel, ${guestMemoryMib} MiB, vCPUs: ${guestCpus}; the VMs stay up, and take turns with each program.`,
    `QEMU: -machine q35 -nodefaults -cpu ${qemuCpu} -accel tcg, a thread for each vCPU unless said otherwise.`,
    "Times are by the guests' clocks, held against the host's. Every run computed what this host's processor did.",
  ];
}

export interface Comparison {
  /** The first is compared with the others. */
  readonly monitors: readonly Monitor[];
  /** Further ones for the programs that run on all vCPUs. */
  readonly parallelOnly: readonly Monitor[];
  readonly programs: GuestPrograms;
  readonly options: HereOptions;
}

interface Outcome {
  readonly measurements: readonly Measurement[];
  readonly mishaps: readonly string[];
  /** Programs that could not be measured, a sentence each. */
  readonly failures: readonly string[];
}

/** Boots each machine once and measures program after program; one that fails is told of, and the others go on. */
export async function compare(comparison: Comparison): Promise<Outcome> {
  const { monitors, parallelOnly, programs, options } = comparison;
  const { kernel } = await linuxFiles();
  const guest = {
    ...{ kernel, initrd: programs.initrd, append: 'quiet' },
    ...{ memoryMib: options.guestMemoryMib, cpus: options.guestCpus },
  };
  const toSubject = (monitor: Monitor) => guestSubject(monitor, guest);
  const everywhere = [...monitors.map(toSubject), nativeSubject(programs.directory)];
  const more = parallelOnly.map(toSubject);
  try {
    for (const subject of everywhere) await subject.open();
    const scenarios: Scenario<CpuSubject>[] = [];
    for (const program of chosenPrograms(options)) {
      const subjects = program.isParallel ? [...everywhere, ...more] : everywhere;
      const instructions =
        program.isCounted && (await instructionsPerIteration(programs.directory, program.name));
      scenarios.push(cpuScenario({ program, subjects, instructions, options }));
    }
    return await measureEach(scenarios, options);
  } finally {
    await Promise.all([...everywhere, ...more].map((subject) => subject.close()));
  }
}

async function measureEach(
  scenarios: readonly Scenario<CpuSubject>[],
  options: HereOptions,
): Promise<Outcome> {
  const outcome = { measurements: [] as Measurement[], mishaps: [] as string[], failures: [] as string[] };
  for (const scenario of scenarios) {
    try {
      const { measurements, mishaps } = await measure([scenario], options);
      outcome.measurements.push(...measurements);
      outcome.mishaps.push(...mishaps);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      options.say(`${scenario.name} failed: ${error.message}\n${error.fix ?? ''}`);
      outcome.failures.push(`Failed: ${scenario.name}: ${error.message}`);
    }
  }
  return outcome;
}

function chosenPrograms({ only }: HereOptions): readonly CpuProgram[] {
  return CPU_PROGRAMS.filter(({ name }) => only.length === 0 || only.includes(name));
}
