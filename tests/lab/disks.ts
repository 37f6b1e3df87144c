/** The lab's disks: read-only ext4 images, each cached by what is in it. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import {
  buildOnce,
  cacheDirectory,
  contentKey,
  debianPackages,
  defaultGuest,
  makeMergedUsr,
  mergeTree,
  moduleNames,
  modulesAlias,
  modulesDep,
  type Progress,
  packageNamed,
  placeFile,
  requireProgram,
  selectModules,
  type UnpackedPackage,
  writeExt4Image,
} from '@vireo/images';
import { unpackedKernel } from './kernel.ts';

/** Raised when something changes in an image that its key would not show. */
const LAYOUT = '2';
const UNUSED_FOR_MS = 24 * 3600 * 1000;

const ROOT_PACKAGES = [
  ...[
    'linux-image-cloud-amd64',
    'busybox-static',
    'dash',
    'bash',
    'coreutils',
    'grep',
    'sed',
    'findutils',
    'bsdutils',
    'util-linux',
    'procps',
  ],
  ...['libstdc++6', 'libatomic1', 'qemu-system-x86'],
];

/** Drawn in by dependencies, and of no use in the lab. */
const UNUSED_PACKAGES =
  /^(perl|libperl|debconf|adduser|passwd|udev|initramfs|klibc|libklibc|linux-base|iso-codes|cpio|dpkg|libpam-|libgstreamer|gcc-|init-system|usrmerge|.*-perl$)/;

export interface RootDisk {
  readonly image: string;
  /** The same files as a directory, from which the host runs QEMU. */
  readonly tree: string;
  readonly kernel: string;
}

/** Debian with QEMU, the kernel's modules and the lab's init. */
export async function rootDisk(extraPackages: readonly string[], progress: Progress): Promise<RootDisk> {
  const packages = await debianPackages({
    names: [...ROOT_PACKAGES, ...extraPackages],
    keep: (name) => extraPackages.includes(name) || !UNUSED_PACKAGES.test(name),
    progress,
  });
  const init = readFileSync(join(import.meta.dirname, 'root-init.sh'));
  const key = contentKey(LAYOUT, init, ...packages.map(({ name, version }) => `${name} ${version}`).sort());
  const directory = await buildOnce(join(labCache(), `root-${key}`), async (building) => {
    removeUnused('root');
    progress(0, 0, "building the lab's root disk");
    const tree = join(building, 'tree');
    await makeRootTree(tree, packages, init);
    await writeExt4Image(tree, join(building, 'root.img'), 'lab-root');
  });
  touch(directory);
  const kernel = packageNamed(packages, /^linux-image-\d/);
  const version = kernel.name.slice('linux-image-'.length);
  return {
    image: join(directory, 'root.img'),
    tree: join(directory, 'tree'),
    kernel: unpackedKernel(join(kernel.directory, 'boot', `vmlinuz-${version}`)),
  };
}

async function makeRootTree(
  tree: string,
  packages: readonly UnpackedPackage[],
  init: Uint8Array,
): Promise<void> {
  makeMergedUsr(tree);
  for (const { directory } of packages) {
    mergeTree(
      directory,
      tree,
      (path) => !/^(usr\/share\/(doc|man|locale|info|lintian|bug)|boot)(\/|$)/.test(path),
    );
  }
  for (const name of ['dev', 'proc', 'sys', 'mnt', 'run', 'tmp', 'lab', 'root', 'etc', 'var/tmp']) {
    mkdirSync(join(tree, name), { recursive: true });
  }
  writeFileSync(
    join(tree, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n',
  );
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\ntty:x:5:\nkvm:x:104:\nnogroup:x:65534:\n');
  writeFileSync(join(tree, 'etc/hosts'), '127.0.0.1 localhost lab\n');
  writeModuleIndex(tree);
  const applets = await requireProgram(join(tree, 'usr/bin/busybox'), ['--list']);
  for (const applet of applets.trim().split('\n')) {
    const link = join(tree, 'usr/bin', applet);
    const existing = ['bin', 'sbin'].some((place) => existsSync(join(tree, 'usr', place, applet)));
    if (!existing) symlinkSync('busybox', link);
  }
  if (!existsSync(join(tree, 'usr/bin/sh'))) symlinkSync('busybox', join(tree, 'usr/bin/sh'));
  writeFileSync(join(tree, 'lab/init'), init);
  chmodSync(join(tree, 'lab/init'), 0o755);
}

/** For modprobe; Debian's packages make these only when they are installed. */
function writeModuleIndex(tree: string): void {
  const root = join(tree, 'usr/lib/modules');
  for (const version of readdirSync(root)) {
    const directory = join(root, version);
    const modules = selectModules(directory, moduleNames(directory));
    writeFileSync(join(directory, 'modules.dep'), modulesDep(modules));
    writeFileSync(join(directory, 'modules.alias'), modulesAlias(modules));
  }
}

/** The repository's node_modules, as npm last installed them. */
export async function nodeModulesDisk(repository: string, progress: Progress): Promise<string> {
  const modules = join(repository, 'node_modules');
  const key = contentKey(LAYOUT, readFileSync(join(modules, '.package-lock.json')));
  return await cachedImage('node-modules', key, async (image) => {
    progress(0, 0, "building the lab's disk of node_modules");
    await writeExt4Image(modules, image, 'node-modules');
  });
}

/** The repository's files: what git tracks, what it would track, and what generators wrote to gen/. */
export async function repositoryDisk(repository: string): Promise<string> {
  const files = await repositoryFiles(repository);
  return await cachedImage('repository', treeKey(repository, files), async (image, directory) => {
    const tree = join(directory, 'tree');
    mkdirSync(join(tree, 'node_modules'), { recursive: true });
    for (const file of files) placeFile(join(repository, file), join(tree, file));
    await writeExt4Image(tree, image, 'repository');
    rmSync(tree, { recursive: true });
  });
}

async function repositoryFiles(repository: string): Promise<string[]> {
  // Whoever owns the checkout: it is only read here.
  const git = ['-c', 'safe.directory=*', 'ls-files', '-z'];
  const list = (...args: string[]) => requireProgram('git', [...git, ...args], { cwd: repository });
  const [tracked, generated] = await Promise.all([
    list('--cached', '--others', '--exclude-standard'),
    list('--others', '--ignored', '--exclude-standard', '--', ':(glob)**/gen/**', ':(exclude)node_modules'),
  ]);
  return [...new Set(`${tracked}${generated}`.split('\0'))]
    .filter(
      (file) => file !== '' && lstatSync(join(repository, file), { throwIfNoEntry: false }) !== undefined,
    )
    .sort();
}

/** The default guest, and its kernel as `vireo run` unpacks it: the lab needs no network and no time for either. */
export async function cacheDisk(progress: Progress): Promise<string> {
  const cache = cacheDirectory();
  const guest = await defaultGuest(progress);
  const files = [
    guest.kernel,
    guest.initrd,
    join(dirname(guest.kernel), 'version'),
    unpackedKernel(guest.kernel),
  ];
  const paths = [...new Set(files)].map((file) => relative(cache, file));
  return await cachedImage('cache', treeKey(cache, paths), async (image, directory) => {
    const tree = join(directory, 'tree');
    mkdirSync(tree);
    for (const path of paths) placeFile(join(cache, path), join(tree, path));
    await writeExt4Image(tree, image, 'cache');
    rmSync(tree, { recursive: true });
  });
}

/** A key that changes when any of the files does, without reading them. */
function treeKey(root: string, files: readonly string[]): string {
  const states = files.map((file) => {
    const path = join(root, file);
    const { size, mtimeNs, mode, ino } = lstatSync(path, { bigint: true });
    return `${file} ${size} ${mtimeNs} ${mode} ${ino}`;
  });
  return contentKey(LAYOUT, ...states);
}

async function cachedImage(
  kind: string,
  key: string,
  build: (image: string, directory: string) => Promise<void>,
): Promise<string> {
  const directory = await buildOnce(join(labCache(), `${kind}-${key}`), async (building) => {
    removeUnused(kind);
    await build(join(building, 'disk.img'), building);
  });
  touch(directory);
  return join(directory, 'disk.img');
}

/** Another lab may just be starting with an older image, so only those unused for a day go. */
function removeUnused(kind: string): void {
  for (const name of readdirSync(labCache())) {
    const path = join(labCache(), name);
    if (!name.startsWith(`${kind}-`) || name.endsWith('.lock')) continue;
    if (Date.now() - lstatSync(path).mtimeMs > UNUSED_FOR_MS) rmSync(path, { recursive: true, force: true });
  }
}

function touch(directory: string): void {
  const now = new Date();
  utimesSync(directory, now, now);
}

function labCache(): string {
  return join(cacheDirectory(), 'lab');
}
