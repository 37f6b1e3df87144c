/** The C program that exits are measured by (exits.c): compiled here, run as a child that is told each round. */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { UserError } from '@vireo/errors';
import type { ExitGuest, Round } from './guest.ts';

const SOURCE = join(import.meta.dirname, 'exits.c');
const PROGRAM = join(import.meta.dirname, 'gen/exits');
const COMPILERS = ['cc', 'gcc', 'clang'];
/** Static: the lab's C library is another one. */
const FLAGS = ['-O2', '-Wall', '-static', '-o', PROGRAM, SOURCE];

export type Compilation =
  | { readonly kind: 'compiled'; readonly program: string; readonly compiler: string }
  /** In one line. */
  | { readonly kind: 'missing'; readonly why: string };

/** Compiles it, unless that was done since it changed. */
export function compileExits(): Compilation {
  if (!isCurrent()) {
    const compiler = COMPILERS.find((name) => spawnSync(name, ['--version']).status === 0);
    if (compiler === undefined)
      return { kind: 'missing', why: 'there is no C compiler here (apt-get install gcc libc6-dev)' };
    mkdirSync(dirname(PROGRAM), { recursive: true });
    const { status, stderr } = spawnSync(compiler, FLAGS, { encoding: 'utf8' });
    if (status !== 0)
      return { kind: 'missing', why: `${compiler} fails: ${stderr.trim().split('\n').at(-1)}` };
  }
  const version = spawnSync(PROGRAM, { encoding: 'utf8' }).stdout.trim();
  return { kind: 'compiled', program: PROGRAM, compiler: version };
}

function isCurrent(): boolean {
  return existsSync(PROGRAM) && statSync(PROGRAM).mtimeMs > statSync(SOURCE).mtimeMs;
}

export class CProgram {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;

  constructor(program: string, guestFile: string, guest: ExitGuest, mmioGpa: number) {
    const args = [guestFile, `${guest.origin}`, `${mmioGpa}`];
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => {}); // it ended: its answer is missing, which is noticed
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** @returns nanoseconds. */
  async run({ entry, count, port }: Round): Promise<number> {
    this.#child.stdin.write(`${entry} ${count} ${port}\n`);
    const { value, done } = await this.#answers.next();
    if (done !== true) return Number(value);
    throw new UserError('bench-c-failed', 'The C program ended early.', 'See above what it said.');
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
