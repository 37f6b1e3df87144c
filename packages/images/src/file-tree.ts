/** Merges unpacked packages into one directory tree, as an installation would, without copying their data. */
import {
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errorCode } from './error-code.ts';

/** Since Debian 12 these are links into /usr ("usrmerge"), though packages still ship files in both places. */
const MERGED_DIRECTORIES = ['bin', 'sbin', 'lib', 'lib64'];

/** Makes the links of a merged /usr in an empty root. */
export function makeMergedUsr(root: string): void {
  for (const name of MERGED_DIRECTORIES) {
    mkdirSync(join(root, 'usr', name), { recursive: true });
    symlinkSync(`usr/${name}`, join(root, name));
  }
}

/** Adds the files of `source` to `root`; what is there already stays. `keep` is asked with paths such as `usr/bin/cat`. */
export function mergeTree(source: string, root: string, keep: (path: string) => boolean = () => true): void {
  const visit = (path: string) => {
    for (const entry of readdirSync(join(source, path), { withFileTypes: true })) {
      const child = path === '' ? entry.name : `${path}/${entry.name}`;
      if (!keep(child)) continue;
      if (entry.isDirectory()) visit(child);
      else placeFile(join(source, child), join(root, mergedPath(child)));
    }
  };
  visit('');
}

function mergedPath(path: string): string {
  return MERGED_DIRECTORIES.some((name) => path.startsWith(`${name}/`)) ? `usr/${path}` : path;
}

/** Hard-links a file, or copies it where a link is not possible; symbolic links are made anew. */
export function placeFile(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  try {
    if (lstatSync(from).isSymbolicLink()) symlinkSync(readlinkSync(from), to);
    else linkSync(from, to);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') return;
    // Another file system; or a file of another user, which fs.protected_hardlinks forbids to link.
    if (code !== 'EXDEV' && code !== 'EPERM' && code !== 'EMLINK') throw error;
    copyFileSync(from, to);
  }
}

/**
 * Copies a file, with the time of its last change, or a symbolic link. A hard link would not do where others
 * know the file by its ctime, as git does.
 */
export function copyFile(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  const stats = lstatSync(from);
  if (stats.isSymbolicLink()) {
    symlinkSync(readlinkSync(from), to);
    return;
  }
  copyFileSync(from, to, constants.COPYFILE_FICLONE);
  utimesSync(to, stats.atime, stats.mtime);
}
