/** Runs the few programs of the host that images are built with: apt-get, dpkg-deb, mke2fs, git. */
import { spawn } from 'node:child_process';
import { UserError } from '@vireo/errors';
import { onAbruptEnd } from './abrupt-end.ts';
import { errorCode } from './error-code.ts';

export interface ProgramOptions {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Sees standard output as it comes, for progress. */
  readonly onOutput?: (chunk: string) => void;
}

export interface ProgramResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The Debian package that brings a program, for the sentence that says it is missing. */
const PACKAGE_OF: Readonly<Record<string, string>> = {
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
  git: 'git',
};

/** System directories that are missing from the PATH of ordinary users on Debian, where mke2fs lives. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin';

/** Where programs of the host are looked for. */
export function hostPath(): string {
  const path = process.env['PATH'];
  return path ? `${path}:${SYSTEM_PATH}` : SYSTEM_PATH;
}

/** Runs a program to its end, whatever its exit status. Throws a UserError when the host lacks it. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const child = spawn(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    // The C locale: messages of apt and dpkg are read here.
    env: {
      ...process.env,
      PATH: hostPath(),
      LC_ALL: 'C',
      ...options.environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const forget = onAbruptEnd(() => child.kill('SIGKILL'));
  const stdout: string[] = [];
  const stderr: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout.push(chunk);
    options.onOutput?.(chunk);
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => stderr.push(chunk));
  try {
    const status = await new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve(code ?? 128));
    });
    return { status, stdout: stdout.join(''), stderr: stderr.join('') };
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    throw missingProgram(program);
  } finally {
    forget();
  }
}

function missingProgram(program: string): UserError {
  const name = PACKAGE_OF[program];
  return new UserError(
    'program-missing',
    `This needs the program ${program}, which this host does not have.`,
    name
      ? `Install it: apt-get install ${name} (Vireo builds its guest images from Debian packages).`
      : `Install ${program} and try again.`,
  );
}

/** Runs a program that has to succeed; its own last words are in the error otherwise. */
export async function requireProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const result = await runProgram(program, args, options);
  if (result.status === 0) return result.stdout;
  throw new UserError(
    'program-failed',
    `${program} ended with status ${result.status}: ${lastLines(result.stderr || result.stdout)}`,
    'Mend what it names and try again.',
  );
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' | ') || 'it said nothing';
}
