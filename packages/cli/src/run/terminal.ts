/**
 * The terminal that a VM's console is on: raw while this process is in the foreground, as it was at any other time.
 * Job control as termios(3), setpgid(2) and credentials(7) describe it.
 */
import { makeRaw, type TerminalAttributes, tcgetattr, tcsetattr } from '@vireo/linux/termios';

/** A shell moves a running job to the foreground without any signal. */
const FOREGROUND_POLL_MS = 500;

export class ConsoleTerminal {
  readonly #fd: number;
  readonly #onForeground: (foreground: boolean) => void;
  #before: TerminalAttributes | undefined;
  #raw = false;
  #poll: NodeJS.Timeout | undefined;

  /** `onForeground` says when the terminal's input is, and is no longer, for this process to read. */
  constructor(fd: number, onForeground: (foreground: boolean) => void) {
    this.#fd = fd;
    this.#onForeground = onForeground;
  }

  get raw(): boolean {
    return this.#raw;
  }

  open(): void {
    process.on('exit', this.#restore).on('SIGTSTP', this.#stop).on('SIGCONT', this.#settle);
    this.#settle();
  }

  /** Puts the terminal back exactly as it was; also when it is gone, and more than once. */
  close(): void {
    process.off('exit', this.#restore).off('SIGTSTP', this.#stop).off('SIGCONT', this.#settle);
    clearInterval(this.#poll);
    this.#restore();
  }

  readonly #stop = (): void => {
    this.#restore();
    process.kill(process.pid, 'SIGSTOP');
  };

  /** After a start, a stop or a move between foreground and background, whichever it was. */
  readonly #settle = (): void => {
    const foreground = isForeground();
    clearInterval(this.#poll);
    if (foreground) this.#makeRaw();
    else {
      this.#raw = false; // the shell has put its own modes back
      this.#poll = setInterval(() => isForeground() && this.#settle(), FOREGROUND_POLL_MS);
    }
    this.#onForeground(foreground);
  };

  #makeRaw(): void {
    try {
      // Once: after a stop that could not be caught, what is there now may be raw already.
      this.#before ??= tcgetattr(this.#fd);
      tcsetattr(this.#fd, makeRaw(this.#before));
      this.#raw = true;
    } catch {
      // A terminal that went away; SIGHUP or the end of its input says so.
    }
  }

  readonly #restore = (): void => {
    if (!this.#raw || !this.#before) return;
    this.#raw = false;
    try {
      tcsetattr(this.#fd, this.#before);
    } catch {
      // Gone: there is nothing to put back.
    }
  };
}

/** Whether the terminal's foreground process group is this process's (proc_pid_stat(5): pgrp, tpgid). */
export function isForeground(): boolean {
  const stat = process.getBuiltinModule('node:fs').readFileSync('/proc/self/stat', 'latin1');
  // The name, in parentheses, may hold blanks and parentheses itself.
  const [, , processGroup, , , foregroundGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return processGroup === foregroundGroup;
}
