/** Benchmarks against what a user would pick instead, in the same run on the same machine: `npm run bench -- --help`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '@vireo/errors';
import { runBoot } from './boot/boot.ts';
import { runCpu } from './cpu/cpu.ts';
import { runExits } from './exits/exits.ts';
import { runInLab } from './in-lab.ts';
import { type BenchOptions, parseBenchOptions, USAGE } from './options.ts';
import { hostKvm, plan } from './place.ts';
import { prepare } from './preparation.ts';
import { type Report, toJson } from './report.ts';
import { reportAsMarkdown, reportAsText } from './report-table.ts';

const ROOT = join(import.meta.dirname, '..');
const STATUS_USAGE = 2;
const RUN = { boot: runBoot, exits: runExits, cpu: runCpu };

async function main(): Promise<number> {
  try {
    const options = parseBenchOptions(process.argv.slice(2));
    if (options === undefined) {
      process.stdout.write(USAGE);
      return 0;
    }
    const reports = await runBenchmark(options);
    write(reports, options);
    return reports.some(({ failures = [] }) => failures.length > 0) ? 1 : 0;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { message, fix, code } = error;
    process.stderr.write(`bench: ${[message, fix].filter((it) => it !== undefined).join('\n')}\n`);
    return code === 'bench-usage' ? STATUS_USAGE : 1;
  }
}

/** One report for each machine it ran on. */
async function runBenchmark(options: BenchOptions): Promise<Report[]> {
  const { here, lab, remark } = plan(options, options.insideLab ? { kind: 'able' } : hostKvm());
  if (remark !== undefined) say(remark);
  if (!options.insideLab) await prepare(options, ROOT, say);
  const reports: Report[] = [];
  if (here !== 'nothing') {
    reports.push(
      await RUN[options.benchmark]({ ...options, root: ROOT, tinyGuestsOnly: here === 'tiny guests', say }),
    );
  }
  if (lab) reports.push(...(await runInLab(options, ROOT)));
  return reports;
}

function write(reports: readonly Report[], { format, jsonFile }: BenchOptions): void {
  const json = `${JSON.stringify(reports.map(toJson), undefined, 2)}\n`;
  if (jsonFile !== undefined) writeFileSync(jsonFile, json);
  if (format === 'json') process.stdout.write(json);
  else process.stdout.write(reports.map(format === 'table' ? reportAsText : reportAsMarkdown).join('\n'));
}

/** Progress; the report alone goes to standard output. */
function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}

// Exit hooks end the VMs and the lab that were started; a signal alone would pass them by.
for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }))
  process.on(signal, () => process.exit(128 + number));
process.exitCode = await main();
