/**
 * Unpacked Debian packages in the cache. A set of packages is resolved once and its versions pinned
 * in a manifest; from then on neither package lists nor network are needed. Layout, under the cache:
 *
 *     apt/                       lists and state of our own apt
 *     sets/KEY.json              the versions a set of names resolved to
 *     packages/NAME_VERSION/     one unpacked package, shared by all sets
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '@vireo/errors';
import { Apt, type DebianPackage } from './apt.ts';
import { withTemporaryDirectory } from './build-once.ts';
import { contentKey } from './content-key.ts';
import { RELEASE } from './debian-sources.ts';
import { withLock } from './lock-file.ts';
import { requireProgram } from './program.ts';
import { noProgress, type Progress } from './progress.ts';
import { cacheDirectory } from './xdg.ts';

export interface PackageSetRequest {
  readonly names: readonly string[];
  /** Which packages of the dependency closure to unpack; all of them by default. */
  readonly keep?: (name: string) => boolean;
  readonly progress?: Progress;
}

export interface UnpackedPackage {
  readonly name: string;
  readonly version: string;
  /** Holds the package's files as dpkg would put them under `/`. */
  readonly directory: string;
}

/** The named packages with their dependencies, fetched and unpacked where the cache has them not yet. */
export async function debianPackages(request: PackageSetRequest): Promise<UnpackedPackage[]> {
  const cache = cacheDirectory();
  const progress = request.progress ?? noProgress;
  const manifest = join(cache, 'sets', `${contentKey(RELEASE, ...request.names.toSorted())}.json`);
  const cached = readManifest(manifest);
  const wanted = cached?.filter(({ name }) => request.keep?.(name) ?? true);
  if (wanted?.every((item) => existsSync(packageDirectory(cache, item)))) {
    return wanted.map((item) => unpacked(cache, item));
  }
  const waiting = () => progress(0, 0, 'waiting for another process that fetches packages');
  return await withLock(join(cache, 'apt.lock'), () => fetchSet(cache, manifest, request, progress), waiting);
}

/** The directory of one package of a set. */
export function packageNamed(packages: readonly UnpackedPackage[], name: string | RegExp): UnpackedPackage {
  const found = packages.find((item) =>
    typeof name === 'string' ? item.name === name : name.test(item.name),
  );
  if (found) return found;
  throw new UserError(
    'debian-package-missing',
    `Debian ${RELEASE} has no package ${name}.`,
    'Name another package.',
  );
}

async function fetchSet(
  cache: string,
  manifest: string,
  request: PackageSetRequest,
  progress: Progress,
): Promise<UnpackedPackage[]> {
  const apt = new Apt(join(cache, 'apt'));
  const pinned = readManifest(manifest);
  const attempt = async (packages: readonly DebianPackage[]) => {
    const wanted = packages.filter(({ name }) => request.keep?.(name) ?? true);
    await fetchPackages(apt, cache, wanted, progress);
    if (packages !== pinned) writeManifest(cache, manifest, packages);
    return wanted.map((item) => unpacked(cache, item));
  };
  if (pinned !== undefined || apt.hasLists) {
    try {
      return await attempt(pinned ?? (await apt.resolve(request.names)));
    } catch (error) {
      // Most likely a mirror that has moved on to newer versions: ask it once more what it has.
      if (!(error instanceof UserError && error.code === 'debian-unreachable')) throw error;
    }
  }
  progress(0, 0, 'fetching the lists of Debian packages');
  await apt.update();
  return await attempt(await apt.resolve(request.names));
}

async function fetchPackages(
  apt: Apt,
  cache: string,
  packages: readonly DebianPackage[],
  progress: Progress,
): Promise<void> {
  const missing = packages.filter((item) => !existsSync(packageDirectory(cache, item)));
  if (missing.length === 0) return;
  const root = join(cache, 'packages');
  await withTemporaryDirectory(root, 'fetch', async (directory) => {
    const debs = join(directory, 'debs');
    mkdirSync(debs);
    await apt.download(missing, debs, progress);
    for (const [index, item] of missing.entries()) {
      progress(index, missing.length, 'unpacking Debian packages');
      const tree = join(directory, item.name);
      await requireProgram('dpkg-deb', ['--extract', debFile(debs, item), tree]);
      renameSync(tree, packageDirectory(cache, item));
    }
    progress(missing.length, missing.length, 'unpacking Debian packages');
  });
}

function debFile(directory: string, { name, version }: DebianPackage): string {
  const prefix = `${name}_${version.replaceAll(':', '%3a')}_`;
  const file = readdirSync(directory).find((entry) => entry.startsWith(prefix));
  if (file === undefined) {
    throw new UserError('debian-unreachable', `apt-get did not bring ${prefix}*.deb.`, 'Try again.');
  }
  return join(directory, file);
}

function packageDirectory(cache: string, { name, version }: DebianPackage): string {
  return join(cache, 'packages', `${name}_${version.replaceAll(':', '%3a')}`);
}

function unpacked(cache: string, item: DebianPackage): UnpackedPackage {
  return { name: item.name, version: item.version, directory: packageDirectory(cache, item) };
}

function readManifest(path: string): DebianPackage[] | undefined {
  if (!existsSync(path)) return undefined;
  const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
  return Array.isArray(parsed) && parsed.every(isDebianPackage) ? parsed : undefined;
}

function isDebianPackage(value: unknown): value is DebianPackage {
  if (typeof value !== 'object' || value === null) return false;
  const { name, version, sizeBytes } = value as Partial<Record<keyof DebianPackage, unknown>>;
  return typeof name === 'string' && typeof version === 'string' && typeof sizeBytes === 'number';
}

function writeManifest(cache: string, path: string, packages: readonly DebianPackage[]): void {
  mkdirSync(join(cache, 'sets'), { recursive: true });
  writeFileSync(`${path}.new`, `${JSON.stringify(packages, null, 1)}\n`);
  renameSync(`${path}.new`, path);
}
