/**
 * What goes wrong, in one line for the user, and the exit status. Four kinds, never mixed: what the user asked
 * wrongly (2), what the host refuses (1), what the guest does (an outcome, not an error), and bugs of ours (1).
 */

export interface Explanation {
  readonly line: string;
  readonly exitStatus: 1 | 2;
}

/** By shape, not by class: the host's errors come from Node, too, and each file of the bundle has classes of its own. */
export function explain(error: unknown): Explanation {
  if (!(error instanceof Error)) return { line: bugLine(String(error)), exitStatus: 1 };
  if (error.name === 'UserError') return { line: line(error.message, property(error, 'fix')), exitStatus: 2 };
  if (error.name === 'HostError')
    return { line: line(error.message, property(error, 'advice')), exitStatus: 1 };
  if (property(error, 'syscall') !== undefined) return { line: line(error.message), exitStatus: 1 };
  return { line: bugLine(error.message, error.stack), exitStatus: 1 };
}

/** Prints the one line, and what led there when the user debugs Vireo. */
export function printError(error: unknown): number {
  const { line, exitStatus } = explain(error);
  printLine(line);
  if (process.env['VIREO_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return exitStatus;
}

/** Whatever happens to standard error, a message must not become an error. */
export function printLine(line: string, { dim = false } = {}): void {
  const text = dim ? `\x1b[2mvireo: ${line}\x1b[0m` : `vireo: ${line}`;
  // A terminal in raw mode does not return the carriage by itself.
  const end = process.getBuiltinModule('node:tty').isatty(2) ? '\r\n' : '\n';
  const { closeSync, writeSync } = process.getBuiltinModule('node:fs');
  const fd = unblockedStandardError();
  try {
    writeSync(fd, text + end);
  } catch {
    // The terminal is gone, or takes nothing now.
  }
  if (fd !== 2) closeSync(fd);
}

/**
 * Standard error once more, without waiting: a terminal that was stopped, or a full pipe, must not stop a VM. Files keep
 * their own position.
 */
function unblockedStandardError(): number {
  const { constants, fstatSync, openSync } = process.getBuiltinModule('node:fs');
  try {
    const stat = fstatSync(2);
    if (!stat.isFIFO() && !stat.isCharacterDevice()) return 2;
    return openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return 2; // somebody else's terminal, as after su(1)
  }
}

function line(...sentences: readonly (string | undefined)[]): string {
  return sentences
    .filter((it) => it !== undefined && it.trim() !== '')
    .map((it) => it!.trim().replace(/\s*\n\s*/g, ' '))
    .map((it) => (/[.!?:]$/.test(it) ? it : `${it}.`))
    .join(' ');
}

function bugLine(message: string, stack = ''): string {
  const [ours] = /packages\/[^()\s]+:\d+:\d+/.exec(stack) ?? [];
  const [theirs] = /[^()\s]+:\d+:\d+(?=\)?$)/m.exec(stack) ?? [];
  const where = ours ?? theirs;
  return line(
    `this is a bug in Vireo: ${message.trim().replace(/\.$/, '')}${where ? ` (at ${where})` : ''}`,
    'Please report it, with what VIREO_DEBUG=1 makes it print.',
  );
}

function property(error: Error, name: string): string | undefined {
  const value: unknown = (error as unknown as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : undefined;
}
