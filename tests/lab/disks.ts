/** The lab's disks besides its root: node_modules, the repository, and what `vireo run` would fetch or build. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import {
  cacheDirectory,
  contentKey,
  defaultGuest,
  type Progress,
  requireProgram,
  writeExt4Image,
} from '@vireo/images';
import { cachedDirectory, imageOfFiles, LAYOUT } from './disk-cache.ts';
import { unpackedKernel } from './kernel.ts';
import { addStrippedSources } from './stripped-sources.ts';

export { type RootDisk, rootDisk } from './root-disk.ts';

/** The repository's node_modules, as npm last installed them. */
export async function nodeModulesDisk(repository: string, progress: Progress): Promise<string> {
  const modules = join(repository, 'node_modules');
  // Workspaces appear as links as soon as somebody makes one, before they are in the lock file.
  const workspaces = readdirSync(join(modules, '@vireo')).sort();
  const key = contentKey(LAYOUT, readFileSync(join(modules, '.package-lock.json')), ...workspaces);
  const directory = await cachedDirectory('node-modules', key, async (building) => {
    progress(0, 0, "building the lab's disk of node_modules");
    await writeExt4Image(modules, join(building, 'disk.img'), 'node-modules');
  });
  return join(directory, 'disk.img');
}

/** The repository's files: what git tracks, what it would track, and what generators wrote to gen/. */
export async function repositoryDisk(repository: string): Promise<string> {
  // Whoever owns the checkout: it is only read here.
  const git = ['-c', 'safe.directory=*', 'ls-files', '-z'];
  const list = (...args: string[]) => requireProgram('git', [...git, ...args], { cwd: repository });
  const [tracked, generated] = await Promise.all([
    list('--cached', '--others', '--exclude-standard'),
    list('--others', '--ignored', '--exclude-standard', '--', ':(glob)**/gen/**', ':(exclude)node_modules'),
  ]);
  const files = new Set(`${tracked}${generated}`.split('\0').filter((file) => file !== ''));
  return await imageOfFiles('repository', repository, [...files].sort(), {
    emptyDirectories: ['node_modules'],
    addTo: addStrippedSources,
  });
}

/** The default guest, and its kernel as `vireo run` unpacks it: the lab needs no network and no time for either. */
export async function cacheDisk(progress: Progress): Promise<string> {
  const guest = await defaultGuest(progress);
  const version = join(dirname(guest.kernel), 'version');
  const files = new Set([guest.kernel, guest.initrd, version, unpackedKernel(guest.kernel)]);
  const cache = cacheDirectory();
  return await imageOfFiles(
    'cache',
    cache,
    [...files].map((file) => relative(cache, file)),
  );
}
