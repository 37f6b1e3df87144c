/** The guest programs and the initramfs that has them, built from tests/guests/cpu into the cache. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UserError } from '@vireo/errors';
import {
  buildOnce,
  type CpioEntry,
  cacheDirectory,
  contentKey,
  cpioArchive,
  requireProgram,
} from '@vireo/images';

const SOURCES = join(import.meta.dirname, '../../tests/guests/cpu');
const COMPILER = 'gcc';

/**
 * For any x86-64 processor, one operation of the source one instruction of the machine: no library, no multiplication
 * fused with an addition, no loop made a call of memcpy.
 */
const FLAGS = [
  ...['-O2', '-std=gnu11', '-Wall', '-Wextra', '-Werror', '-march=x86-64', '-mtune=generic'],
  ...['-static', '-nostdlib', '-ffreestanding', '-fno-pie', '-no-pie', '-fno-stack-protector'],
  ...['-fno-asynchronous-unwind-tables', '-fno-tree-loop-distribute-patterns', '-fno-math-errno'],
  ...['-ffp-contract=off', '-fcf-protection=none', '-Wl,--build-id=none', '-Wl,-z,noexecstack'],
];

/** Run on the host: everything but these is in the guest's /bin. */
const HOST_PROGRAM = 'count-instructions';
const INIT = 'init';
const INITRAMFS = 'initramfs.cpio';

export interface GuestPrograms {
  /** The cache's directory, which has all of them under their names. */
  readonly directory: string;
  readonly initrd: string;
  readonly compiler: string;
}

/** Undefined where there is none. */
export function compilerVersion(): string | undefined {
  const { status, stdout } = spawnSync(COMPILER, ['-dumpfullversion'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** In one line, what a host without a compiler lacks. */
export const COMPILER_MISSING =
  'the guest programs need gcc, which this host does not have (apt-get install gcc)';

/** Builds what is not in the cache yet. @throws UserError */
export async function guestPrograms(): Promise<GuestPrograms> {
  const compiler = compilerVersion();
  if (compiler === undefined) throw new UserError('bench-no-compiler', `${COMPILER_MISSING}.`);
  const files = readdirSync(SOURCES).sort();
  const contents = files.flatMap((file) => [file, readFileSync(join(SOURCES, file))]);
  const key = contentKey(compiler, ...FLAGS, ...contents);
  const directory = await buildOnce(join(cacheDirectory(), 'cpu-programs', key), async (building) => {
    const names = files.filter((file) => file.endsWith('.c')).map((file) => basename(file, '.c'));
    for (const name of names) await compile(name, building);
    const guests = names.filter((name) => name !== HOST_PROGRAM);
    writeFileSync(join(building, INITRAMFS), Buffer.concat([...cpioArchive(guestFiles(guests, building))]));
  });
  return { directory, initrd: join(directory, INITRAMFS), compiler };
}

async function compile(name: string, into: string): Promise<void> {
  const definition = `-DPROGRAM_NAME="${name}"`;
  await requireProgram(COMPILER, [...FLAGS, definition, '-o', join(into, name), join(SOURCES, `${name}.c`)]);
}

function guestFiles(names: readonly string[], directory: string): CpioEntry[] {
  const file = (name: string, path: string): CpioEntry => ({
    kind: 'file',
    path,
    mode: 0o755,
    data: readFileSync(join(directory, name)),
  });
  return [
    ...['bin', 'dev'].map((path): CpioEntry => ({ kind: 'directory', path })),
    { kind: 'character-device', path: 'dev/console', major: 5, minor: 1 },
    file(INIT, 'init'),
    ...names.filter((name) => name !== INIT).map((name) => file(name, `bin/${name}`)),
  ];
}
