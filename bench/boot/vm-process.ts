/** One virtual machine's process, seen from outside: what it writes to standard output, and when. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { UserError } from '@vireo/errors';

/** How to start a virtual machine monitor. */
export interface VmCommand {
  readonly words: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface VmEnd {
  /** Milliseconds from the start to the process's end. */
  readonly atMs: number;
  /** A signal's name or an exit status, in words. */
  readonly how: string;
}

/** Far above what any run takes, so that nothing hangs for ever. */
const LIMIT_MS = 15 * 60_000;
/** What is kept of the output to look for text in. */
const TAIL_LENGTH = 64 * 1024;
const SHOWN_LINES = 15;

const running = new Set<VmProcess>();
process.on('exit', () => {
  for (const vm of running) vm.kill();
});

export class VmProcess {
  readonly pid: number;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #start: number;
  readonly #ended = Promise.withResolvers<VmEnd>();
  readonly #failed = Promise.withResolvers<never>();
  readonly #timer: NodeJS.Timeout;
  #firstByteMs: number | undefined;
  #lastByteMs = 0;
  #bytes = 0;
  #tail = '';
  #complaints = '';
  #watchers: ((atMs: number) => void)[] = [];

  constructor({ words, environment }: VmCommand, limitMs = LIMIT_MS) {
    const [program, ...args] = words;
    this.#start = performance.now();
    this.#child = spawn(program ?? '', args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      // The lab preloads something into each Node, which is not for what is measured.
      env: { ...process.env, NODE_OPTIONS: '', ...environment },
    });
    this.pid = this.#child.pid ?? 0;
    running.add(this);
    this.#child.stdout.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-TAIL_LENGTH);
    });
    this.#child.stdin.on('error', () => {}); // it may have ended already
    this.#child.on('error', (error) => this.#failed.reject(error));
    this.#child.on('close', (status, signal) => this.#end(status, signal));
    this.#timer = setTimeout(() => this.#fail(`did not end within ${limitMs / 1000} s`), limitMs);
    this.#failed.promise.catch(() => {}); // whoever waits for something hears of it
  }

  /** When it ended by itself; fails when it takes for ever. */
  get ended(): Promise<VmEnd> {
    return Promise.race([this.#ended.promise, this.#failed.promise]);
  }

  /** When the first byte of standard output was seen. */
  get firstByteMs(): number {
    if (this.#firstByteMs === undefined) throw this.#error('wrote nothing');
    return this.#firstByteMs;
  }

  get lastByteMs(): number {
    return this.#lastByteMs;
  }

  /** How much it wrote to standard output. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Waits for a pattern in the output; returns when it was seen, and what it matched. Past the limit, the VM is ended. */
  async waitFor(
    pattern: RegExp,
    limitMs?: number,
  ): Promise<{ readonly atMs: number; readonly match: RegExpExecArray }> {
    const late = () => this.#fail(`wrote nothing that matches ${pattern} within ${limitMs} ms`);
    const timer = limitMs === undefined ? undefined : setTimeout(late, limitMs);
    const seen = new Promise<{ atMs: number; match: RegExpExecArray }>((resolve) => {
      const look = (atMs: number): void => {
        const match = pattern.exec(this.#tail);
        if (match === null) this.#watchers.push(look);
        else resolve({ atMs, match });
      };
      look(this.#now());
    });
    const tooSoon = this.#ended.promise.then(({ how }) => {
      throw this.#error(`ended (${how}) before its output matched ${pattern}`);
    });
    try {
      return await Promise.race([seen, tooSoon, this.#failed.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until it wrote that much. */
  async waitForBytes(bytes: number): Promise<number> {
    const seen = new Promise<number>((resolve) => {
      const look = (atMs: number): void => {
        if (this.#bytes < bytes) this.#watchers.push(look);
        else resolve(atMs);
      };
      look(this.#now());
    });
    const tooSoon = this.#ended.promise.then(({ how }) => {
      throw this.#error(`ended (${how}) after ${this.#bytes} of ${bytes} bytes`);
    });
    return await Promise.race([seen, tooSoon, this.#failed.promise]);
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Ends it now; resolves when it is gone. */
  async killed(): Promise<void> {
    this.kill();
    await this.#ended.promise;
  }

  #receive(chunk: Buffer): void {
    const now = this.#now();
    this.#firstByteMs ??= now;
    this.#lastByteMs = now;
    this.#bytes += chunk.length;
    this.#tail = (this.#tail + chunk.toString('latin1')).slice(-TAIL_LENGTH);
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher(now);
  }

  #end(status: number | null, signal: NodeJS.Signals | null): void {
    clearTimeout(this.#timer);
    running.delete(this);
    this.#ended.resolve({ atMs: this.#now(), how: signal ?? `status ${status}` });
  }

  #fail(what: string): void {
    this.kill();
    this.#failed.reject(this.#error(what));
  }

  #error(what: string): UserError {
    const lines = `${this.#tail}\n${this.#complaints}`.replaceAll('\r', '').trim().split('\n');
    return new UserError(
      'bench-vm-failed',
      `${this.#child.spawnargs.join(' ')} ${what}.`,
      `It said last:\n${lines.slice(-SHOWN_LINES).join('\n')}`,
    );
  }

  #now(): number {
    return performance.now() - this.#start;
  }
}
