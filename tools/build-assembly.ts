/**
 * Makes packages/x86-engine/gen/NAME.wasm of packages/x86-engine/assembly/NAME/index.ts, for every NAME: the engine's
 * helpers, written in AssemblyScript. The same sources and compiler give the same bytes.
 *
 * A module imports the engine's memory as `env.memory` and keeps nothing in it: no data segments, no heap. So one
 * memory serves many modules and many instances of them.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assemblyLayout } from '@vireo/x86-engine/assembly-layout';
import { main as compile } from 'assemblyscript/asc';

const ROOT = join(import.meta.dirname, '..');
const PACKAGE = join(ROOT, 'packages/x86-engine');

/** What sources import the engine's layout from, as the compiler asks for it. */
const LAYOUT = '../gen/layout.ts';

const OPTIONS = [
  ...['-O3', '--noAssert', '--runtime', 'stub'],
  // Any shared memory will do: one page at least, 4 GiB at most.
  ...[
    '--importMemory',
    '--noExportMemory',
    '--sharedMemory',
    '--initialMemory',
    '1',
    '--maximumMemory',
    '65536',
  ],
  ...['--enable', 'threads', '--enable', 'simd'],
];

/** Names of the modules below assembly/. */
export function assemblyModules(directory = join(PACKAGE, 'assembly')): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(directory, entry.name, 'index.ts')))
    .map(({ name }) => name)
    .sort();
}

/** Compiles assembly/NAME/index.ts. @throws with the compiler's own message. */
export async function buildAssembly(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const output: Uint8Array<ArrayBuffer>[] = [];
  const base = join(PACKAGE, 'assembly');
  const { error, stderr } = await compile([`${name}/index.ts`, '--outFile', 'out.wasm', ...OPTIONS], {
    readFile: (path, directory) => {
      if (path === LAYOUT) return assemblyLayout();
      const file = join(directory === '.' ? base : join(base, directory), path);
      return existsSync(file) ? readFileSync(file, 'utf8') : null;
    },
    writeFile: (_path, contents) => {
      output.push(
        typeof contents === 'string' ? new TextEncoder().encode(contents) : new Uint8Array(contents),
      );
    },
    listFiles: () => [],
  });
  if (error || !output[0]) throw new Error(`${name}: ${error?.message ?? 'no output'}\n${stderr.toString()}`);
  return output[0];
}

async function main(): Promise<void> {
  const directory = join(PACKAGE, 'gen');
  mkdirSync(directory, { recursive: true });
  // For editors: the compiler gets it anew each time.
  writeFileSync(join(directory, 'layout.ts'), assemblyLayout());
  for (const name of assemblyModules())
    writeFileSync(join(directory, `${name}.wasm`), await buildAssembly(name));
}

if (import.meta.main) await main();
