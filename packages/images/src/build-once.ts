/**
 * A cache that several processes may use at once: an entry is built in a directory beside its final
 * place and renamed there when it is whole, so nothing half-built ever has a final name.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { withLock } from './lock-file.ts';
import { processTag, taggedProcess } from './process-tag.ts';
import { killPrograms } from './program.ts';

/** Returns `path`, a directory; where it does not exist yet, `build` fills it first. */
export async function buildOnce(path: string, build: (directory: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  await withLock(`${path}.lock`, async () => {
    if (existsSync(path)) return; // another process built it while this one waited
    await withTemporaryDirectory(dirname(path), basename(path), async (directory) => {
      await build(directory);
      renameSync(directory, path);
    });
  });
  return path;
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
  temporaries.add(directory);
  watchSignals();
  try {
    return await body(directory);
  } finally {
    temporaries.delete(directory);
    rmSync(directory, { recursive: true, force: true });
    if (temporaries.size === 0) unwatchSignals();
  }
}

function removeLeftovers(parent: string): void {
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent)) {
    const tag = /^\.tmp-(\d+-\d+-\d+)-/.exec(name)?.[1];
    if (tag === undefined || taggedProcess(tag) !== 'gone') continue;
    rmSync(join(parent, name), { recursive: true, force: true });
  }
}

const temporaries = new Set<string>();
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function removeTemporaries(): void {
  killPrograms();
  for (const directory of temporaries) rmSync(directory, { recursive: true, force: true });
  temporaries.clear();
}

function endBySignal(signal: NodeJS.Signals): void {
  removeTemporaries();
  unwatchSignals();
  // With no other listener the signal now does what it would have done without us.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

function watchSignals(): void {
  if (temporaries.size !== 1) return;
  process.on('exit', removeTemporaries);
  for (const signal of SIGNALS) process.on(signal, endBySignal);
}

function unwatchSignals(): void {
  process.off('exit', removeTemporaries);
  for (const signal of SIGNALS) process.off(signal, endBySignal);
}
