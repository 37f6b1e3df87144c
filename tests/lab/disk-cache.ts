/** Read-only ext4 images in the cache, each under a key of what is in it. */
import { lstatSync, mkdirSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { buildOnce, cacheDirectory, contentKey, copyFile, writeExt4Image } from '@vireo/images';

/** Raised when something changes in an image that its key would not show. */
export const LAYOUT = '7';
const UNUSED_FOR_MS = 24 * 3600 * 1000;

/** A directory of the lab's in the cache, filled by `build` where it is not there yet. */
export async function cachedDirectory(
  kind: string,
  key: string,
  build: (building: string) => Promise<void>,
): Promise<string> {
  const directory = await buildOnce(join(labCache(), `${kind}-${key}`), async (building) => {
    removeUnused(kind);
    await build(building);
  });
  const now = new Date();
  utimesSync(directory, now, now);
  return directory;
}

export interface ImageExtras {
  readonly emptyDirectories?: readonly string[];
  /** Adds files that are made from the others. */
  readonly addTo?: (tree: string) => void;
}

/** An image of these files of a directory. Files that vanish meanwhile are left out: somebody may be at work. */
export async function imageOfFiles(
  kind: string,
  root: string,
  files: readonly string[],
  { emptyDirectories = [], addTo = () => {} }: ImageExtras = {},
): Promise<string> {
  const states = files.map((file) => fileState(root, file));
  const directory = await cachedDirectory(kind, contentKey(LAYOUT, ...states), async (building) => {
    const tree = join(building, 'tree');
    for (const path of ['', ...emptyDirectories]) mkdirSync(join(tree, path), { recursive: true });
    for (const file of files) {
      if (fileState(root, file) !== GONE) copyFile(join(root, file), join(tree, file));
    }
    addTo(tree);
    await writeExt4Image(tree, join(building, 'disk.img'), kind);
    rmSync(tree, { recursive: true });
  });
  return join(directory, 'disk.img');
}

const GONE = '';

/** Changes when the file does, and costs no reading. */
function fileState(root: string, file: string): string {
  const stats = lstatSync(join(root, file), { bigint: true, throwIfNoEntry: false });
  if (stats === undefined || stats.isDirectory()) return GONE;
  return `${file} ${stats.size} ${stats.mtimeNs} ${stats.mode} ${stats.ino}`;
}

/** Another lab may just be starting with an older image, so only those unused for a day go. */
function removeUnused(kind: string): void {
  for (const name of readdirSync(labCache())) {
    if (!name.startsWith(`${kind}-`) || name.endsWith('.lock')) continue;
    const path = join(labCache(), name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined || Date.now() - stats.mtimeMs < UNUSED_FOR_MS) continue;
    rmSync(path, { recursive: true, force: true });
  }
}

function labCache(): string {
  return join(cacheDirectory(), 'lab');
}
