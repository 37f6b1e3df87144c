/** A program on a terminal, as a person would sit at it: reads what it prints, with times, and types at it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Printed {
  readonly text: string;
  readonly atMs: number;
  /** Came while somebody typed: its pace is theirs. */
  readonly typed: boolean;
}

/** About as fast as somebody types who knows what to type. */
const KEY_MS = 70;
const POLL_MS = 20;

export class RecordedTerminal implements Disposable {
  readonly printed: Printed[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #text = '';
  #typing = false;
  #hasEnded = false;

  /** script(1) gives the command a terminal; this process need not have one. */
  constructor(command: string, columns: number, rows: number) {
    const sized = `stty cols ${columns} rows ${rows}; exec ${command}`;
    this.#child = spawn('script', ['-qefc', sized, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.printed.push({ text, atMs: performance.now(), typed: this.#typing });
      this.#text += text;
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', resolve);
    });
    this.#ended.then(
      () => {
        this.#hasEnded = true;
      },
      () => {},
    );
  }

  /** Waits until what was printed since the last wait ends in the pattern. */
  async expect(pattern: RegExp, limitMs: number): Promise<void> {
    const limit = performance.now() + limitMs;
    while (!pattern.test(this.#text)) {
      if (this.#hasEnded || performance.now() > limit)
        throw new Error(
          `${pattern} did not come; the terminal shows: ${JSON.stringify(this.#text.slice(-2000))}`,
        );
      await sleep(POLL_MS);
    }
    this.#text = '';
  }

  async type(text: string): Promise<void> {
    this.#typing = true;
    for (const key of text) {
      this.#child.stdin!.write(key);
      await sleep(KEY_MS);
    }
    this.#typing = false;
  }

  async end(): Promise<void> {
    await this.#ended;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGTERM');
  }
}
