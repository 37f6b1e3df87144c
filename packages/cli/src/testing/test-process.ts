/** A child process as tests drive it: on a pseudo-terminal of its own (pty(7)) or on pipes, with what it prints. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { closeSync, readFileSync, readlinkSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { type TerminalAttributes, tcgetattr } from '@vireo/linux';
import { Pty } from '@vireo/linux/test-support';

export interface Exit {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * Something a test waits for, and what is said when it does not come: the limit is for the time in which there is no
 * progress, for how long all of it takes depends on the machine.
 */
async function until<T>(
  what: () => string,
  limitMs: number,
  look: () => T | undefined | false,
  progress: () => number = () => 0,
): Promise<T> {
  let limit = performance.now() + limitMs;
  for (let last = progress(); ; ) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (progress() !== last) {
      last = progress();
      limit = performance.now() + limitMs;
    }
    if (performance.now() > limit) throw new Error(`waited in vain for ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export class TestProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly exit: Promise<Exit>;
  #ended = false;
  output = '';
  errors = '';
  /** How long it may print nothing while a test waits for what it prints. */
  waitLimitMs = 20_000;

  constructor(command: readonly [string, ...string[]], stdio: StdioOptions, detached = false) {
    const [program, ...args] = command;
    // The node:test runner's variable would change what a child under test does.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    this.child = spawn(program, args, { stdio, detached, env });
    const { promise, resolve, reject } = Promise.withResolvers<Exit>();
    this.child.on('error', reject).on('exit', (status, signal) => resolve({ status, signal }));
    // Later than 'exit': all that it printed has been read.
    this.child.on('close', () => {
      this.#ended = true;
    });
    this.exit = promise;
    this.child.stdout?.setEncoding('latin1').on('data', (text: string) => {
      this.output += text;
    });
    this.child.stderr?.setEncoding('latin1').on('data', (text: string) => {
      this.errors += text;
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Waits for text in the output from an offset on, or in the errors; `index` counts from the output's start. */
  waitFor(pattern: RegExp, after = 0): Promise<RegExpExecArray> {
    const what = () =>
      `${pattern} in ${JSON.stringify((this.output.slice(after) + this.errors).slice(-2000))}`;
    const look = () => {
      const match = pattern.exec(this.output.slice(after)) ?? pattern.exec(this.errors);
      if (match) match.index += after;
      if (!match && this.#ended) throw new Error(`ended before ${what()}`);
      return match ?? undefined;
    };
    return until(what, this.waitLimitMs, look, () => this.output.length + this.errors.length);
  }

  /** proc_pid_stat(5) state: R, S, T, Z and so on. */
  waitForState(letters: string): Promise<unknown> {
    const isReached = () => letters.includes(processState(this.pid));
    return until(() => `state ${letters}`, this.waitLimitMs, isReached);
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  async end(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

export function processState(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2)[0]!;
}

/** The child leads a session whose terminal the test holds the other end of. */
export class TerminalProcess extends TestProcess {
  readonly #pty: Pty;
  readonly #controller: ReadStream;
  readonly before: TerminalAttributes;
  #open = true;

  constructor(command: readonly [string, ...string[]]) {
    const pty = new Pty();
    const before = tcgetattr(pty.terminal);
    // A session leader gets the first terminal that it opens.
    const acquire = `exec "$@" <>${readlinkSync(`/proc/self/fd/${pty.terminal}`)} >&0 2>&0`;
    super(['/bin/sh', '-c', acquire, 'sh', ...command], 'ignore', true);
    this.#pty = pty;
    this.before = before;
    // Not a file stream: a thread that waits in read(2) would keep the terminal open after a hang-up.
    this.#controller = new ReadStream(pty.controller);
    this.#controller.setEncoding('latin1').on('data', (text: string) => {
      this.output += text;
    });
    this.#controller.on('error', () => {}); // EIO: the terminal's last user is gone
  }

  type(text: string): void {
    writeSync(this.#pty.controller, text);
  }

  get attributes(): TerminalAttributes {
    return tcgetattr(this.#pty.terminal);
  }

  isRaw(): boolean {
    return Buffer.compare(this.attributes, this.before) !== 0;
  }

  waitUntilRaw(raw: boolean): Promise<unknown> {
    const what = () => (raw ? 'a raw terminal' : 'the terminal as it was');
    return until(what, this.waitLimitMs, () => this.isRaw() === raw);
  }

  /** As when somebody pressed Ctrl-S: the terminal fills up. */
  pauseReading(): void {
    this.#controller.pause();
  }

  /** As when the window is closed. */
  hangUp(): void {
    this.#open = false;
    closeSync(this.#pty.terminal);
    this.#controller.destroy();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    if (this.#open) this.hangUp();
  }
}
