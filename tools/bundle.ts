/**
 * Makes packages/cli/gen/: the vireo command as a few CommonJS files, one for each way through it that start-up time
 * matters for, and one for a vCPU's thread.
 *
 * The source runs as it is. The bundle is for start-up time, which is part of every VM's boot: loading a hundred
 * modules and stripping their types costs ten times what running them does, once in each thread. It knows the
 * sources it was made from and gives way to them when one has changed since (see `prelude`).
 */

import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
const OUT = join(ROOT, 'packages/cli/gen');
const MAIN = 'packages/cli/src/start.ts';
const WORKER = 'packages/vmm/src/vcpu/vcpu-worker.ts';
/** Files that the program reads from beside itself. */
const ASSETS = [
  ...['packages/images/src/guest-init.sh', 'packages/images/src/guest-linuxrc.sh'],
  ...['interpreter', 'float80', 'memory-unit'].map((name) => `packages/x86-engine/gen/${name}.wasm`),
];

/** What ES modules know of their own place. */
const BANNER = "const __fileUrl = require('node:url').pathToFileURL(__filename).href;";

/** A source's file in gen/. */
const outputName = (source: string) => `${basename(source, '.ts')}.cjs`;

/**
 * What the source imports only when it needs it, a relative path in `import()`, is a file of its own here, too: to
 * read and to hash what is not run takes time. Packages are put in where they are imported.
 */
function splitDynamicImports(found: (source: string) => void): Plugin {
  return {
    name: 'split-dynamic-imports',
    setup({ onResolve }) {
      onResolve({ filter: /^\.{1,2}\// }, ({ kind, path, resolveDir }) => {
        if (kind !== 'dynamic-import') return undefined;
        const source = relative(ROOT, resolve(resolveDir, path));
        found(source);
        return { path: `./${outputName(source)}`, external: true };
      });
    },
  };
}

interface Bundle {
  /** The sources of ours that are in it. */
  readonly sources: string[];
  /** Those it imports when it needs them. */
  readonly later: string[];
}

async function bundle(entry: string): Promise<Bundle> {
  const later = new Set<string>();
  const outfile = join(OUT, outputName(entry));
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    external: ['koffi'],
    minifySyntax: true, // but neither names nor lines: stack traces stay readable
    // `import()` of a CommonJS file would start the ES module loader.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': '__fileUrl', 'import.meta.dirname': '__dirname' },
    banner: { js: BANNER },
    plugins: [splitDynamicImports((source) => later.add(source))],
    metafile: true,
    logLevel: 'warning',
  });
  writeFileSync(outfile, escapeWide(readFileSync(outfile, 'utf8')));
  const sources = Object.keys(metafile.inputs).filter((path) => path.startsWith('packages/'));
  return { sources, later: [...later] };
}

/**
 * One character beyond Latin-1, and V8 keeps two bytes for each of the file, in each thread. esbuild escapes them in code, so
 * these are in comments.
 */
function escapeWide(code: string): string {
  return code.replaceAll(/[^\0-\xff]/g, '?');
}

async function bundleAll(entries: readonly string[]): Promise<string[]> {
  const bundled = new Map<string, Bundle>();
  const names = new Set<string>();
  for (const queue = [...entries]; queue.length > 0; ) {
    const entry = queue.pop()!;
    if (bundled.has(entry)) continue;
    if (names.has(outputName(entry))) throw new Error(`two sources would be gen/${outputName(entry)}`);
    names.add(outputName(entry));
    bundled.set(entry, await bundle(entry));
    queue.push(...bundled.get(entry)!.later);
  }
  return [...bundled.values()].flatMap(({ sources }) => sources);
}

/** Path, size in bytes and time of change in whole seconds of each source. Not finer: file systems differ. */
export function fingerprint(paths: readonly string[], root = ROOT): [string, number, number][] {
  return [...new Set(paths)].sort().map((path) => {
    const { size, mtimeMs } = statSync(join(root, path));
    return [relative('packages', path), size, Math.floor(mtimeMs / 1000)];
  });
}

/** What the launcher starts: the bundle, or the source when one of its files has changed or gone since. */
export function prelude(sources: readonly [string, number, number][]): string {
  return `'use strict';
const { statSync } = require('node:fs');
const packages = __dirname + '/../../';
const ifThere = { throwIfNoEntry: false };
const isCurrent = ${JSON.stringify(sources)}.every(([path, size, seconds]) => {
  const stat = statSync(packages + path, ifThere);
  return stat !== undefined && stat.size === size && Math.floor(stat.mtimeMs / 1000) === seconds;
});
if (isCurrent) require('./${outputName(MAIN)}');
else import('../src/start.ts');
`;
}

async function main(): Promise<void> {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT);
  const sources = await bundleAll([MAIN, WORKER]);
  writeFileSync(join(OUT, 'vireo.cjs'), prelude(fingerprint(sources)));
  for (const asset of ASSETS) copyFileSync(join(ROOT, asset), join(OUT, basename(asset)));
}

if (import.meta.main) await main();
