/**
 * A lock between processes that needs no FFI: a file that names its holder, made by link(2), which
 * is atomic. A holder that died is recognized, and its lock taken over, so a killed build never
 * blocks the next one.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onAbruptEnd } from './abrupt-end.ts';
import { errorCode } from './error-code.ts';
import { processTag, taggedProcess } from './process-tag.ts';

const POLL_MS = 100;
/** A holder in another PID namespace cannot be looked up: only age tells. */
const FOREIGN_HOLDER_MS = 15 * 60 * 1000;

let attempts = 0;

/** Runs `body` while no one else, in this process or another, holds the lock at `path`. */
export async function withLock<T>(path: string, body: () => Promise<T>, onWait?: () => void): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const holder = `${processTag()} ${++attempts}`;
  for (let waited = false; !tryLock(path, holder); waited = true) {
    if (!waited) onWait?.();
    breakStaleLock(path);
    await sleep(POLL_MS);
  }
  const release = () => {
    if (readIfThere(path) === holder) unlinkSync(path);
  };
  const forget = onAbruptEnd(release);
  try {
    return await body();
  } finally {
    forget();
    release();
  }
}

function tryLock(path: string, holder: string): boolean {
  const mine = `${path}.${holder.replace(' ', '.')}`;
  writeFileSync(mine, holder);
  try {
    linkSync(mine, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(mine);
  }
}

function breakStaleLock(path: string): void {
  const holder = readIfThere(path);
  if (holder === undefined || !isStale(holder, path)) return;
  // Renamed aside first: since it was read, another waiter may have broken it and taken the lock.
  const aside = `${path}.${processTag()}.stale`;
  try {
    renameSync(path, aside);
    if (readFileSync(aside, 'utf8') !== holder) linkSync(aside, path);
    unlinkSync(aside);
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error;
  }
}

function isStale(holder: string, path: string): boolean {
  const process = taggedProcess(holder.split(' ')[0] ?? '');
  if (process !== 'unknown') return process === 'gone';
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && Date.now() - stats.mtimeMs > FOREIGN_HOLDER_MS;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
