/**
 * A cache that several processes may use at once: an entry is built in a directory beside its final
 * place and renamed there when it is whole, so nothing half-built ever has a final name.
 */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError } from '@vireo/errors';
import { onAbruptEnd } from './abrupt-end.ts';
import { errorCode } from './error-code.ts';
import { withLock } from './lock-file.ts';
import { processTag, taggedProcess } from './process-tag.ts';

/** Returns `path`, a directory; where it does not exist yet, `build` fills it first. */
export async function buildOnce(path: string, build: (directory: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path;
  makeWritable(dirname(path));
  await withLock(`${path}.lock`, async () => {
    if (existsSync(path)) return; // another process built it while this one waited
    await withTemporaryDirectory(dirname(path), basename(path), async (directory) => {
      await build(directory);
      renameSync(directory, path);
    });
  });
  return path;
}

/** @throws UserError before anything is fetched that could not be kept */
function makeWritable(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK);
  } catch (error) {
    throw new UserError(
      'cache-not-writable',
      `${directory}, where what is fetched and built is kept, cannot be written (${errorCode(error)})`,
      'Set XDG_CACHE_HOME to a directory that can.',
      { cause: error },
    );
  }
}

let temporaryCount = 0;

/**
 * Gives `body` a fresh directory in `parent`, and removes it afterwards: when `body` ends or throws,
 * and when a signal ends this process meanwhile. What a killed process left is removed on the next call.
 */
export async function withTemporaryDirectory<T>(
  parent: string,
  label: string,
  body: (directory: string) => Promise<T>,
): Promise<T> {
  removeLeftovers(parent);
  const directory = join(parent, `.tmp-${processTag()}-${++temporaryCount}-${label}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const forget = onAbruptEnd(remove);
  try {
    return await body(directory);
  } finally {
    forget();
    remove();
  }
}

function removeLeftovers(parent: string): void {
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent)) {
    const tag = /^\.tmp-(\d+-\d+-\d+)-/.exec(name)?.[1];
    if (tag === undefined || taggedProcess(tag) !== 'gone') continue;
    try {
      rmSync(join(parent, name), { recursive: true, force: true });
    } catch {
      // In /tmp it may be another user's.
    }
  }
}
