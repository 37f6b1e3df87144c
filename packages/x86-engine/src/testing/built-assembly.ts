/** The engine's AssemblyScript modules, for tests. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buildAssembly } from '../../../../tools/build-assembly.ts';
import { assemblyLayout } from '../assembly-layout.ts';

const PACKAGE = join(import.meta.dirname, '../..');

/** What the build made, or, if a source or the layout has changed since, what it would make. */
export async function assemblyBytes(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const built = join(PACKAGE, 'gen', `${name}.wasm`);
  return isCurrent(name, built) ? readFileSync(built) : buildAssembly(name);
}

function isCurrent(name: string, built: string): boolean {
  const layout = join(PACKAGE, 'gen/layout.ts');
  if (!existsSync(built) || !existsSync(layout)) return false;
  if (readFileSync(layout, 'utf8') !== assemblyLayout()) return false;
  const sources = join(PACKAGE, 'assembly', name);
  const modified = (path: string) => statSync(path).mtimeMs;
  return readdirSync(sources).every((source) => modified(join(sources, source)) <= modified(built));
}
