/** The TypeScript of the repository without its types, for the lab's Node (stripped-sources.cjs). */
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';

/** Where it is in the repository's image. */
const DIRECTORY = '.stripped';

/** Strips the types here: in the lab it would take each Node as long as all of its start besides. */
export function addStrippedSources(tree: string): void {
  const { emitWarning } = process;
  process.emitWarning = () => {}; // that the function is experimental
  try {
    stripAll(tree);
  } finally {
    process.emitWarning = emitWarning;
  }
}

function stripAll(tree: string): void {
  for (const source of globSync('**/*.ts', { cwd: tree })) {
    const stripped = strip(readFileSync(join(tree, source), 'utf8'));
    if (stripped === undefined) continue;
    const path = join(tree, DIRECTORY, source);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, stripped);
  }
}

/** Undefined for what Node cannot strip, either: whoever loads it hears why. */
function strip(source: string): string | undefined {
  try {
    return stripTypeScriptTypes(source);
  } catch {
    return undefined;
  }
}
