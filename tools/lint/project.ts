/** The project as the lints see it: its packages and every file that git knows or would add. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSourceFile, type SourceFile } from './source-file.ts';

export interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export interface WorkspacePackage {
  readonly name: string;
  /** Relative to the project's root, without a slash at its end. */
  readonly directory: string;
  readonly manifest: Manifest;
  readonly files: readonly SourceFile[];
}

export interface Project {
  readonly manifest: Manifest;
  readonly packages: readonly WorkspacePackage[];
  /** TypeScript outside packages: tools, tests, benchmarks. */
  readonly otherFiles: readonly SourceFile[];
}

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** Text files only, by name; paths relative to `root`. */
export function projectPaths(root: string): string[] {
  const listing = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  // Deleted files stay in the index until they are committed.
  return listing.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
}

export function loadProject(root: string): Project {
  const paths = projectPaths(root);
  const sources = paths
    .filter((path) => /\.[mc]?ts$/.test(path))
    .map((path) => parseSourceFile(path, readFileSync(join(root, path), 'utf8')));
  const packages = paths
    .filter((path) => /^packages\/[^/]+\/package\.json$/.test(path))
    .map((path) => {
      const directory = path.slice(0, path.lastIndexOf('/'));
      const manifest = readManifest(join(root, path));
      const files = sources.filter((file) => file.path.startsWith(`${directory}/`));
      return { name: manifest.name, directory, manifest, files };
    });
  const otherFiles = sources.filter((file) => !file.path.startsWith('packages/'));
  return { manifest: readManifest(join(root, 'package.json')), packages, otherFiles };
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
}
