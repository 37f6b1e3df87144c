/** The script that tells the lab what to run; the last NVMe namespace holds it (init.sh). */
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { LabOptions } from './options.ts';

const SECTOR_BYTES = 512;

export function jobScript(
  options: LabOptions,
  repository: string,
  directory: string,
  terminal: boolean,
): string {
  const inside = !relative(repository, directory).startsWith('..');
  const variables = {
    REPOSITORY: repository,
    DIRECTORY: inside ? directory : repository,
    // Through env(1): a busybox shell would rather run its own `sh` or `cat` than the installed one.
    JOB: `exec /usr/bin/env -- ${options.command.map(shellQuote).join(' ')}`,
    PARALLEL: options.parallel ? 'yes' : '',
    TERMINAL: terminal ? 'yes' : '',
    TERM: process.env['TERM'] ?? 'linux',
    ROWS: `${process.stdout.rows ?? 24}`,
    COLUMNS: `${process.stdout.columns ?? 80}`,
  };
  const script = [
    ...Object.entries(variables).map(([name, value]) => `${name}=${shellQuote(value)}`),
    readFileSync(join(import.meta.dirname, 'init.sh'), 'utf8'),
  ].join('\n');
  // A disk is whole sectors; the shell passes over empty lines.
  const bytes = Buffer.byteLength(script);
  return script + '\n'.repeat((SECTOR_BYTES - (bytes % SECTOR_BYTES)) % SECTOR_BYTES);
}

/** One word for a POSIX shell, whatever is in it. */
export function shellQuote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
