/** Files of a cache: written whole or not at all, and thrown away when there are too many. */

// Not imported: see byte-source.ts.
const { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } =
  process.getBuiltinModule('node:fs');
const { basename, dirname, join } = process.getBuiltinModule('node:path');

const TEMPORARY_SUFFIX = '.tmp';
/** A temporary file this old belongs to a process that was killed. */
const ABANDONED_AFTER_MS = 10 * 60_000;

/**
 * Writes under a temporary name and renames, so that readers and other writers see all or nothing; keeps the
 * directory's `keep` latest files. False when the cache cannot be written (read-only, full, somebody else's): a
 * cache is never worth a failure.
 */
export function writeCacheFile(path: string, pieces: readonly Uint8Array[], keep: number): boolean {
  // Unique among processes, and threads; an occupied name fails the write.
  const temporary = `${path}.${process.pid}-${process.hrtime.bigint()}${TEMPORARY_SUFFIX}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeAll(temporary, pieces);
    renameSync(temporary, path);
  } catch {
    remove(temporary);
    return false;
  }
  prune(path, keep);
  return true;
}

function writeAll(path: string, pieces: readonly Uint8Array[]): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    for (const piece of pieces) {
      for (let done = 0; done < piece.length; ) done += writeSync(fd, piece, done);
    }
  } finally {
    closeSync(fd);
  }
}

/** Removes what was used longest ago. Whoever has a removed file open keeps it. */
function prune(written: string, keep: number): void {
  try {
    const directory = dirname(written);
    const names = readdirSync(directory).filter((name) => name !== basename(written));
    const abandoned = names.filter((name) => name.endsWith(TEMPORARY_SUFFIX));
    for (const name of abandoned) {
      if (Date.now() - lastUseMs(join(directory, name)) > ABANDONED_AFTER_MS) remove(join(directory, name));
    }
    const kept = names.filter((name) => !name.endsWith(TEMPORARY_SUFFIX));
    if (kept.length < keep) return;
    const byUse = kept.map((name) => ({ name, usedMs: lastUseMs(join(directory, name)) }));
    byUse.sort((a, b) => b.usedMs - a.usedMs);
    for (const { name } of byUse.slice(keep - 1)) remove(join(directory, name));
  } catch {
    // Somebody else may be pruning, too.
  }
}

function lastUseMs(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats ? Math.max(stats.atimeMs, stats.mtimeMs) : 0;
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It was never made, or is not ours to remove.
  }
}
