/** `node tools/layers.ts`: the project's own lints. Exit status 1 when one of them refuses something. */
import { lintCycles } from './lint/cycles.ts';
import { lintLayers } from './lint/layers.ts';
import { type Finding, loadProject } from './lint/project.ts';
import { lintSizes } from './lint/sizes.ts';
import { lintWords } from './lint/words.ts';

const root = new URL('..', import.meta.url).pathname;
const project = loadProject(root);
const errors = [...lintLayers(project), ...lintCycles(project), ...lintWords(root)];
const warnings = lintSizes(project);

print('warning', warnings);
print('error', errors);
process.exitCode = errors.length > 0 ? 1 : 0;

function print(severity: 'error' | 'warning', findings: readonly Finding[]): void {
  for (const { path, line, message } of findings) console.log(`${path}:${line}: ${severity}: ${message}`);
}
