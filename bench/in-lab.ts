/** Runs the same benchmark inside the KVM lab, all of it in one boot, and takes its report. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { UserError } from '@vireo/errors';
import { thisMachine } from './environment.ts';
import { type BenchOptions, benchArguments } from './options.ts';
import { fromJson, type JsonReport, type Report } from './report.ts';

/**
 * What threads tell each other needs two processors that run in parallel; everything else is more reliable on one
 * (tests/lab/machine.ts).
 */
const PROCESSORS = { boot: ['--cpus', '1'], exits: ['--cpus', '2', '--parallel'] } as const;

function processorsFor(benchmark: BenchOptions['benchmark']): readonly string[] {
  // Engines in software are measured on the host itself (place.ts).
  if (benchmark === 'cpu') throw new Error('cpu does not run in the lab');
  return PROCESSORS[benchmark];
}

export async function runInLab(options: BenchOptions, root: string): Promise<Report[]> {
  const labHost = thisMachine();
  const inside = benchArguments({ ...options, on: 'host', format: 'json' });
  const output = await capture(process.execPath, [
    join(root, 'tests/lab/lab.ts'),
    ...[
      ...processorsFor(options.benchmark),
      '--memory',
      `${options.labMemoryMib}M`,
      '--timeout',
      `${options.timeoutSeconds}`,
    ],
    ...['node', join(root, 'bench/bench.ts'), ...inside, '--inside-lab'],
  ]);
  const reports = (JSON.parse(output) as JsonReport[]).map(fromJson);
  return reports.map((report) => ({ ...report, environment: { ...report.environment, labHost } }));
}

/** Its standard error is ours: progress, and what goes wrong. */
async function capture(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = () => child.kill('SIGTERM');
  process.on('exit', end);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  process.off('exit', end);
  if (status === 0) return output;
  throw new UserError('bench-lab', `The lab's run ended with status ${status}.`, 'See above what it said.');
}
