/**
 * Makes packages/cli/gen/: the vireo command as two CommonJS files, one for the program and one for a vCPU's thread.
 *
 * The source runs as it is. The bundle is for start-up time, which is part of every VM's boot: loading a hundred
 * modules and stripping their types costs ten times what running them does, once in each thread. It knows the
 * sources it was made from and gives way to them when one has changed since (see `prelude`).
 */

import { copyFileSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'packages/cli/gen');
const SOURCES = ['packages/cli/src/start.ts', 'packages/vmm/src/vcpu/vcpu-worker.ts'] as const;
/** Files that the program reads from beside itself. */
const ASSETS = ['packages/images/src/guest-init.sh', 'packages/images/src/guest-linuxrc.sh'];

/** Shared by both: what ES modules know of their own place. */
const BANNER = "const __fileUrl = require('node:url').pathToFileURL(__filename).href;";

async function bundle(entry: string, name: string, minify: boolean): Promise<string[]> {
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile: join(OUT, name),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    external: ['koffi'],
    minifySyntax: minify,
    define: { 'import.meta.url': '__fileUrl', 'import.meta.dirname': '__dirname' },
    banner: { js: BANNER },
    metafile: true,
    logLevel: 'warning',
  });
  return Object.keys(result.metafile.inputs).filter((path) => path.startsWith('packages/'));
}

/** Path, size in bytes and time of change in whole seconds of each source. Not finer: file systems differ. */
function fingerprint(paths: readonly string[]): [string, number, number][] {
  return [...new Set(paths)].sort().map((path) => {
    const { size, mtimeMs } = statSync(join(ROOT, path));
    return [relative(OUT, join(ROOT, path)), size, Math.floor(mtimeMs / 1000)];
  });
}

/** What the launcher starts: the bundle, or the source when one of its files has changed or gone since. */
function prelude(sources: string): string {
  return `'use strict';
const { statSync } = require('node:fs');
const { join } = require('node:path');
const isCurrent = ${sources}.every(([path, size, seconds]) => {
  const stat = statSync(join(__dirname, path), { throwIfNoEntry: false });
  return stat !== undefined && stat.size === size && Math.floor(stat.mtimeMs / 1000) === seconds;
});
if (isCurrent) require('./vireo-program.cjs');
else import('../src/start.ts');
`;
}

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT);
const inputs = await Promise.all([
  bundle(SOURCES[0], 'vireo-program.cjs', true),
  bundle(SOURCES[1], 'vcpu-worker.cjs', true),
]);
const sources = JSON.stringify(fingerprint(inputs.flat()));
writeFileSync(join(OUT, 'vireo.cjs'), prelude(sources));
for (const asset of ASSETS)
  copyFileSync(join(ROOT, asset), join(OUT, asset.slice(asset.lastIndexOf('/') + 1)));
