/** Text that must not stand in the project (save in this folder): paths of one machine, and notes to self. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding, projectPaths } from './project.ts';

interface ForbiddenText {
  readonly pattern: RegExp;
  readonly why: string;
}

/** A path starts where no other path goes on. */
const absolute = (name: string) => new RegExp(`(?<![\\w.}~/-])/${name}(?=/|["'\`\\s),;]|$)`);

const FORBIDDEN: readonly ForbiddenText[] = [
  { pattern: absolute('work'), why: 'names a path of one machine' },
  // As a whole it is every system's home of root; a path below it is somebody's.
  { pattern: /(?<![\w.}~/-])\/root\/[\w.]/, why: 'names a path of one machine' },
  { pattern: /\b(TODO|FIXME|XXX)\b/, why: 'is unfinished work: finish it, or file an issue' },
  { pattern: /@ts-(ignore|nocheck)/, why: 'hides a type error' },
  { pattern: /\b(test|it|describe)\.only\(/, why: 'runs one test only' },
];

export function lintWords(root: string): Finding[] {
  return projectPaths(root)
    .filter(
      (path) =>
        !path.startsWith('tools/lint/') && /\.([mc]?[tj]s|json|md|sh|c|ya?ml)$|\/bin\/|^\.ci\//.test(path),
    )
    .flatMap((path) => forbiddenText(path, readFileSync(join(root, path), 'utf8')));
}

export function forbiddenText(path: string, text: string): Finding[] {
  return text.split('\n').flatMap((content, index) =>
    FORBIDDEN.flatMap(({ pattern, why }) => {
      const match = pattern.exec(content);
      return match ? [{ path, line: index + 1, message: `“${match[0].trim()}” ${why}` }] : [];
    }),
  );
}
