/** What the host refuses: one system call, its error number, and what the user can do about it. */
import { errno } from './libc.ts';

export interface HostErrorDetails {
  /** What the call worked on: a path, or the name of an ioctl. */
  subject?: string | undefined;
  /** What the user can do, as one sentence. */
  advice?: string | undefined;
}

/** Advice that is right whichever call was refused. */
const GENERAL_ADVICE: Readonly<Record<string, string>> = {
  EMFILE: 'Raise the limit on open files of this process (ulimit -n).',
  ENFILE: 'The whole host has run out of open files; raise fs.file-max.',
};

/** `open /dev/kvm: permission denied (EACCES)` */
export class HostError extends Error {
  override readonly name = 'HostError';
  /** The system call or C function, as its manual page is named. */
  readonly call: string;
  /** The positive error number. */
  readonly errno: number;
  /** The error number's name: `ENOENT`. */
  readonly code: string;
  readonly subject?: string;
  readonly advice?: string;

  constructor(call: string, errorNumber: number, details: HostErrorDetails = {}) {
    const code = errorName(errorNumber);
    const what = details.subject === undefined ? call : `${call} ${details.subject}`;
    super(`${what}: ${errorDescription(errorNumber)} (${code})`);
    this.call = call;
    this.errno = errorNumber;
    this.code = code;
    const advice = details.advice ?? GENERAL_ADVICE[code];
    if (details.subject !== undefined) this.subject = details.subject;
    if (advice !== undefined) this.advice = advice;
  }

  /** Turns an error of node:fs and its like into a HostError; any other value is thrown as it is. */
  static from(error: unknown, details: HostErrorDetails = {}): HostError {
    if (error instanceof HostError) return error;
    if (!isSystemError(error)) throw error;
    const subject = details.subject ?? error.path;
    return new HostError(error.syscall, Math.abs(error.errno), { ...details, subject });
  }
}

function isSystemError(error: unknown): error is Error & { syscall: string; errno: number; path?: string } {
  return (
    error instanceof Error &&
    typeof (error as NodeJS.ErrnoException).syscall === 'string' &&
    typeof (error as NodeJS.ErrnoException).errno === 'number'
  );
}

/** `ENOENT` for 2; `errno 133` for a number that Node has no name for. */
export function errorName(errorNumber: number): string {
  const util = process.getBuiltinModule('node:util'); // not imported: see libc.ts
  const name = isErrorNumber(errorNumber) ? util.getSystemErrorName(-errorNumber) : '';
  return /^E[A-Z0-9]+$/.test(name) ? name : `errno ${errorNumber}`;
}

function errorDescription(errorNumber: number): string {
  const util = process.getBuiltinModule('node:util');
  return errorName(errorNumber).startsWith('E') ? util.getSystemErrorMessage(-errorNumber)! : 'unknown error';
}

/** Linux's error numbers lie within one page's worth of negative pointers (include/linux/err.h MAX_ERRNO). */
function isErrorNumber(errorNumber: number): boolean {
  return Number.isInteger(errorNumber) && errorNumber > 0 && errorNumber < 4096;
}

/** Passes the result of a C call on, or throws what errno says if it is -1. */
export function check(result: number, call: string, details?: HostErrorDetails): number {
  if (result === -1) throw new HostError(call, errno(), details);
  return result;
}
