/** Terminals: termios(3), and the window's size (ioctl_tty(2)). Everything is synchronous, for exit handlers. */
import { HostError } from './host-error.ts';
import { tryIoctlPointer } from './ioctl.ts';
import { errno, lazily, type Pointer } from './libc.ts';
import { blockSignals, SIGTTOU, setSignalMask } from './signals.ts';

/** glibc's struct termios on x86-64: four u32 flags, c_line, 32 control characters, two u32 speeds. */
const TERMIOS_BYTES = 60;
const TIOCGWINSZ = 0x5413;
const EINTR = 4;

/** When a change takes effect: TCSANOW, TCSADRAIN (after what was written), TCSAFLUSH (and input is discarded). */
export type TerminalChange = 'now' | 'drain' | 'flush';
const CHANGE: Readonly<Record<TerminalChange, number>> = { now: 0, drain: 1, flush: 2 };

const tcgetattrCall = lazily<(fd: number, attributes: Pointer) => number>('int tcgetattr(int, void *)');
const tcsetattrCall = lazily<(fd: number, when: number, attributes: Pointer) => number>(
  'int tcsetattr(int, int, const void *)',
);
const cfmakerawCall = lazily<(attributes: Pointer) => void>('void cfmakeraw(void *)');
const isattyCall = lazily<(fd: number) => number>('int isatty(int)');

/** A terminal's whole struct termios, kept as it is so that it can be put back exactly. */
export type TerminalAttributes = Uint8Array;

export function isatty(fd: number): boolean {
  return isattyCall(fd) === 1;
}

export function tcgetattr(fd: number): TerminalAttributes {
  const attributes = new Uint8Array(TERMIOS_BYTES);
  if (tcgetattrCall(fd, attributes) === -1) throw new HostError('tcgetattr', errno());
  return attributes;
}

/**
 * Sets a terminal's attributes; repeated when a signal interrupts it. Also works from the background: the kernel
 * would stop the process with SIGTTOU, were it not blocked meanwhile.
 */
export function tcsetattr(fd: number, attributes: TerminalAttributes, when: TerminalChange = 'now'): void {
  const mask = blockSignals([SIGTTOU]);
  let error = 0;
  do {
    error = tcsetattrCall(fd, CHANGE[when], attributes) === -1 ? errno() : 0;
  } while (error === EINTR);
  setSignalMask(mask);
  if (error !== 0) throw new HostError('tcsetattr', error);
}

/** The same attributes in raw mode: every byte passes as it is, at once, and no key is a signal (cfmakeraw(3)). */
export function makeRaw(attributes: TerminalAttributes): TerminalAttributes {
  const raw = attributes.slice();
  cfmakerawCall(raw);
  return raw;
}

export interface WindowSize {
  rows: number;
  columns: number;
}

/** The size of a terminal's window; 0 by 0 where nobody has set it. */
export function windowSize(fd: number): WindowSize {
  const size = new Uint16Array(4); // struct winsize: rows, columns, pixels
  const result = tryIoctlPointer(fd, TIOCGWINSZ, size);
  if (result < 0) throw new HostError('ioctl', -result, { subject: 'TIOCGWINSZ' });
  return { rows: size[0]!, columns: size[1]! };
}

/** A terminal in raw mode from construction to `restore`. */
export class RawTerminal implements Disposable {
  readonly fd: number;
  readonly #before: TerminalAttributes;
  #raw = true;

  constructor(fd: number) {
    this.fd = fd;
    this.#before = tcgetattr(fd);
    tcsetattr(fd, makeRaw(this.#before), 'now');
  }

  /**
   * Puts the terminal back exactly as it was. May be called on every way out, also twice, also when the terminal is
   * gone: then there is nothing to put back.
   */
  restore(): void {
    if (!this.#raw) return;
    this.#raw = false;
    try {
      tcsetattr(this.fd, this.#before, 'now');
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.restore();
  }
}
