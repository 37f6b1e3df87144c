/** A VM of `vireo run` and the shell in it, as a test types into it and reads it. */
import { join } from 'node:path';
import { TerminalProcess, TestProcess } from '../../packages/cli/src/testing/test-process.ts';

export const VIREO = join(import.meta.dirname, '../../packages/cli/bin/vireo');

/** The default guest's shell; busybox then asks the terminal where its cursor is, with four more characters. */
const PROMPT = /vireo:\S+# (\S{4})?$/;

/** With the greeting before it: a shell that is told to reboot may prompt once more. */
const FIRST_PROMPT = new RegExp(`default guest.*${PROMPT.source}`, 's');

/** How long a guest may print nothing: one in a guest under software emulation is slow, on a busy machine very. */
export const BOOT_LIMIT_MS = 180_000;

export class GuestSession {
  readonly process: TestProcess;
  readonly #send: (text: string) => void;
  #commands = 0;

  private constructor(process: TestProcess, send: (text: string) => void) {
    this.process = process;
    this.#send = send;
    process.waitLimitMs = BOOT_LIMIT_MS;
  }

  static onPipes(...args: string[]): GuestSession {
    const process = new TestProcess([VIREO, 'run', ...args], ['pipe', 'pipe', 'pipe']);
    return new GuestSession(process, (text) => process.child.stdin!.write(text));
  }

  static onTerminal(...args: string[]): GuestSession {
    const process = new TerminalProcess([VIREO, 'run', ...args]);
    return new GuestSession(process, (text) => process.type(text));
  }

  get output(): string {
    return this.process.output;
  }

  /** Waits for the shell of a guest that started; started again, when an offset in the output is given. */
  async booted(after = 0): Promise<void> {
    await this.process.waitFor(FIRST_PROMPT, after);
  }

  async prompted(after: number): Promise<void> {
    await this.process.waitFor(PROMPT, after);
  }

  send(text: string): void {
    this.#send(text);
  }

  /** Runs a command in the guest's shell; returns what it printed. */
  async run(command: string): Promise<string> {
    const after = this.output.length;
    // What is typed is echoed, by a terminal ahead of its shell even twice: the marks in it do not look like the marks
    // that are printed.
    const mark = ++this.#commands;
    this.send(`echo begin-$((${mark})); ${command}; echo end-$((${mark}))\r`);
    const printed = new RegExp(`begin-${mark}\\r\\n(.*)end-${mark}\\r\\n`, 's');
    const [, text = ''] = await this.process.waitFor(printed, after);
    return text.replaceAll('\r', '').trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}
