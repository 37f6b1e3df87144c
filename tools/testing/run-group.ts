/** Runs one group of test files by `node --test`, here or in the lab, and reads what it reports. */
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestGroup } from './plan.ts';
import type { Report, TestReport } from './report.ts';

const REPORTER = './tools/testing/event-reporter.ts';
const FUZZ_SEED = './tools/testing/fuzz-seed.ts';

export async function runGroup(
  group: TestGroup,
  root: string,
  namePattern: string | undefined,
  report: Report,
) {
  const [program, ...args] = [
    ...group.launcher,
    '--import',
    FUZZ_SEED,
    '--test',
    `--test-reporter=${REPORTER}`,
    `--test-concurrency=${group.concurrency}`,
    ...(namePattern === undefined ? [] : [`--test-name-pattern=${namePattern}`]),
    ...group.files,
  ];
  // Set by a test runner above (when a test runs this): it would silence the one below.
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  // Half of a test file's start would be stripping types from the sources that it imports.
  const env = { NODE_COMPILE_CACHE: join(tmpdir(), 'vireo-node-cache'), ...environment };
  const child = spawn(program!, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const { promise: ended, resolve, reject } = Promise.withResolvers<string>();
  child.on('error', reject).on('close', (code, signal) => resolve(signal ?? `exit status ${code}`));

  let reported = false;
  let failed = false;
  for await (const line of createInterface(child.stdout)) {
    const event = parseReport(line);
    if (event) report.add(event);
    else console.log(line);
    reported ||= event !== undefined;
    failed ||= event?.kind === 'failed';
  }
  const end = await ended;
  // A run that fails without a failed test did not come to its end.
  const explained = end === 'exit status 0' ? reported : failed;
  if (!explained) report.addFailure(group.name, `They ended early, with ${end}.`);
}

function parseReport(line: string): TestReport | undefined {
  if (!line.startsWith('{"kind":')) return undefined;
  return JSON.parse(line) as TestReport;
}
