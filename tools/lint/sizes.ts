/** Beauty is lost in the tail: long files and functions, as places to look for the second thing they do. */
import { MAX_FILE_LINES, MAX_FUNCTION_LINES } from './policy.ts';
import type { Finding, Project } from './project.ts';
import type { SourceFile } from './source-file.ts';

export function lintSizes(project: Project): Finding[] {
  return [...project.packages.flatMap((pkg) => pkg.files), ...project.otherFiles].flatMap(sizesOf);
}

function sizesOf(file: SourceFile): Finding[] {
  const findings: Finding[] = [];
  const { path } = file;
  if (file.lines > MAX_FILE_LINES)
    findings.push({ path, line: 1, message: `${file.lines} lines (${MAX_FILE_LINES} at most)` });
  // A test file's `describe` is a chapter, not a function.
  if (path.endsWith('.test.ts')) return findings;
  for (const { name, line, lines } of file.functions)
    if (lines > MAX_FUNCTION_LINES)
      findings.push({ path, line, message: `${name} has ${lines} lines (${MAX_FUNCTION_LINES} at most)` });
  return findings;
}
