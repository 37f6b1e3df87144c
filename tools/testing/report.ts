/** What a test run reports, and how `npm test` shows it: a line a file as it ends with what it notes, failures in full, one sum. */
import { relative } from 'node:path';
import { styleText } from 'node:util';

interface TestResult {
  /** Absolute. */
  readonly file: string;
  /** With the names of the suites around it. */
  readonly name: string;
  readonly durationMs: number;
}

export type TestReport =
  | ({ readonly kind: 'passed' } & TestResult)
  | ({ readonly kind: 'failed'; readonly error: string } & TestResult)
  | ({ readonly kind: 'skipped'; readonly reason: string } & TestResult)
  | { readonly kind: 'output'; readonly file: string; readonly text: string }
  /** What a test has to say when it passes, too (TestContext.diagnostic). */
  | { readonly kind: 'note'; readonly file: string; readonly text: string }
  | { readonly kind: 'file-end'; readonly file: string };

interface FileTally {
  passed: number;
  failed: number;
  skipped: number;
  durationMs: number;
  output: string;
  readonly notes: string[];
}

export class Report {
  readonly #root: string;
  readonly #print: (line: string) => void;
  readonly #running = new Map<string, FileTally>();
  readonly #skips = new Map<string, number>();
  #passed = 0;
  #failed = 0;
  #skipped = 0;

  constructor(root: string, print: (line: string) => void = console.log) {
    this.#root = root;
    this.#print = print;
  }

  get failed(): number {
    return this.#failed;
  }

  add(report: TestReport): void {
    const tally = this.#tally(report.file);
    switch (report.kind) {
      case 'output':
        tally.output += report.text;
        return;
      case 'note':
        tally.notes.push(report.text);
        return;
      case 'file-end':
        this.#endFile(report.file);
        return;
      case 'passed':
        tally.passed++;
        this.#passed++;
        break;
      case 'skipped':
        tally.skipped++;
        this.#skipped++;
        this.#skips.set(report.reason, (this.#skips.get(report.reason) ?? 0) + 1);
        break;
      case 'failed':
        tally.failed++;
        this.#failed++;
        this.#printFailure(report, tally);
        break;
    }
    tally.durationMs += report.durationMs;
  }

  /** A failure that belongs to no test, such as a lab that does not start. */
  addFailure(what: string, error: string): void {
    this.#failed++;
    this.#print(`${styleText('red', '✗')} ${what}\n${indent(error)}`);
  }

  /** Prints the skips' reasons and, as the last line, the plain sum. */
  end(): void {
    for (const file of [...this.#running.keys()]) this.#endFile(file);
    for (const [reason, count] of this.#skips)
      this.#print(`${styleText('yellow', '-')} ${count} skipped: ${reason}`);
    const skipped = this.#skipped > 0 ? `, ${this.#skipped} skipped` : '';
    this.#print(`${this.#passed} passed, ${this.#failed} failed${skipped}`);
  }

  #tally(file: string): FileTally {
    let tally = this.#running.get(file);
    if (!tally) {
      tally = { passed: 0, failed: 0, skipped: 0, durationMs: 0, output: '', notes: [] };
      this.#running.set(file, tally);
    }
    return tally;
  }

  #printFailure({ file, name, error }: TestResult & { error: string }, tally: FileTally): void {
    this.#print(`${styleText('red', '✗')} ${relative(this.#root, file)}: ${name}\n${indent(error)}`);
    if (tally.output) this.#print(indent(`It printed:\n${tally.output.trimEnd()}`));
    tally.output = '';
  }

  #endFile(file: string): void {
    const tally = this.#running.get(file);
    this.#running.delete(file);
    // After the end come only the events of the run as a whole.
    if (!tally || tally.passed + tally.failed + tally.skipped === 0) return;
    const mark = tally.failed > 0 ? styleText('red', '✗') : styleText('green', '✓');
    const counts = [
      `${tally.passed} passed`,
      ...(tally.failed > 0 ? [`${tally.failed} failed`] : []),
      ...(tally.skipped > 0 ? [`${tally.skipped} skipped`] : []),
    ];
    const seconds = (tally.durationMs / 1000).toFixed(1);
    this.#print(
      `${mark} ${relative(this.#root, file)} ${styleText('dim', `${counts.join(', ')}, ${seconds} s`)}`,
    );
    for (const note of tally.notes) this.#print(indent(note));
  }
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ');
}
