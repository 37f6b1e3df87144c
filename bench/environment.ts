/** What a benchmark ran on: without it, no figure says anything. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

export interface Machine {
  readonly processor: string;
  readonly cpus: number;
  readonly memoryMib: number;
  readonly kernel: string;
  /** Processes that wanted to run at the start, averaged over a minute. */
  readonly load: number;
}

export interface Environment {
  readonly date: string;
  /** Where the virtual machines ran. */
  readonly machine: Machine;
  /** The machine that ran the KVM lab, when they ran in there. */
  readonly labHost?: Machine;
  /** Names and versions of the programs that were compared, and of what they need. */
  readonly versions: Readonly<Record<string, string>>;
}

export function thisMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    cpus: availableParallelism(),
    memoryMib: Math.round(totalmem() / 2 ** 20),
    kernel: `Linux ${release()}`,
    load: loadavg()[0] ?? 0,
  };
}

export function thisEnvironment(root: string, versions: Readonly<Record<string, string>>): Environment {
  const manifest = JSON.parse(readFileSync(join(root, 'packages/cli/package.json'), 'utf8')) as {
    version: string;
  };
  return {
    date: new Date().toISOString(),
    machine: thisMachine(),
    versions: { Vireo: manifest.version, 'Node.js': process.version, ...versions },
  };
}

export function describeEnvironment({ date, machine, labHost, versions }: Environment): string[] {
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const where = labHost === undefined ? 'On' : 'In the KVM lab:';
  return [
    `${where} ${describeMachine(machine)}`,
    ...(labHost === undefined
      ? []
      : [`The lab's host: ${describeMachine(labHost)}, load ${labHost.load.toFixed(1)}`]),
    `${programs.join(', ')}; ${date}`,
  ];
}

function describeMachine({ processor, cpus, memoryMib, kernel }: Machine): string {
  return `${cpus} × ${processor}, ${memoryMib} MiB, ${kernel}`;
}
