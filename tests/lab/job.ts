/** The script that tells the lab's init what to run; the last NVMe namespace holds it (init.sh). */
import { readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { LabOptions } from './options.ts';

const SECTOR_BYTES = 512;

export function jobScript(options: LabOptions, repository: string, directory: string): string {
  const inside = !relative(repository, directory).startsWith(`..${sep}`) && directory !== '..';
  const script = [
    `REPOSITORY=${shellQuote(repository)}`,
    `DIRECTORY=${shellQuote(inside ? directory : repository)}`,
    `job() { exec ${options.command.map(shellQuote).join(' ')}; }`,
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
