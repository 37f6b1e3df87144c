/**
 * A reporter for `node --test` that prints one JSON object a line, so that a run can be read by `npm test` whether
 * it took place on this machine or in the lab.
 */
import type { EventData } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';
import type { TestReport } from './report.ts';

const NAME_PATTERN = process.execArgv.some((it) => it.startsWith('--test-name-pattern'));

export default async function* reportEvents(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    const report = toReport(event);
    if (report) yield `${JSON.stringify(report)}\n`;
  }
}

function toReport(event: TestEvent): TestReport | undefined {
  switch (event.type) {
    case 'test:stdout':
    case 'test:stderr':
      return { kind: 'output', file: event.data.file ?? '', text: event.data.message };
    // Those without a file are the run's own sums.
    case 'test:diagnostic':
      return event.data.file === undefined
        ? undefined
        : { kind: 'note', file: event.data.file, text: event.data.message };
    case 'test:pass':
      return passed(event.data);
    case 'test:fail':
      return failed(event.data);
    case 'test:summary':
      return event.data.file === undefined ? undefined : { kind: 'file-end', file: event.data.file };
    default:
      return undefined;
  }
}

function passed(data: EventData.TestPass): TestReport | undefined {
  if (data.details.type === 'suite') return undefined;
  // Node passes a file without tests, or with none of the name asked for, as one test of the file's name.
  if (data.name === data.file)
    return NAME_PATTERN
      ? undefined
      : { kind: 'failed', ...common(data), name: 'the file', error: 'It has no tests.' };
  if (data.skip !== undefined)
    return {
      kind: 'skipped',
      ...common(data),
      reason: typeof data.skip === 'string' ? data.skip : 'no reason',
    };
  return { kind: 'passed', ...common(data) };
}

function failed(data: EventData.TestFail): TestReport | undefined {
  const { error } = data.details;
  // What fails only because of tests in it would be counted twice.
  if ('failureType' in error && error.failureType === 'subtestsFailed') return undefined;
  const crashed = data.name === data.file;
  const name = crashed ? { name: 'the file' } : {};
  return { kind: 'failed', ...common(data), ...name, error: describeError(error, crashed) };
}

function common(data: EventData.TestPass | EventData.TestFail) {
  const suite = 'classname' in data && typeof data.classname === 'string' ? `${data.classname} › ` : '';
  return { file: data.file ?? '', name: `${suite}${data.name}`, durationMs: data.details.duration_ms };
}

function describeError(error: Error & { cause?: unknown }, crashed: boolean): string {
  if (crashed) {
    const { exitCode, signal } = error as { exitCode?: number; signal?: string };
    return `It ended with ${signal ?? `exit status ${exitCode}`} outside its tests; see its output.`;
  }
  // The runner wraps what the test threw.
  const cause = error.cause ?? error;
  return typeof cause === 'string' ? cause : inspect(cause, { depth: 5 });
}
