/** The lab's root disk: Debian with QEMU, the kernel's modules and the lab's init. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  contentKey,
  debianPackages,
  makeMergedUsr,
  mergeTree,
  moduleNames,
  modulesAlias,
  modulesDep,
  type Progress,
  packageNamed,
  requireProgram,
  selectModules,
  type UnpackedPackage,
  writeExt4Image,
} from '@vireo/images';
import { cachedDirectory, LAYOUT } from './disk-cache.ts';
import { unpackedKernel } from './kernel.ts';

const ROOT_PACKAGES = [
  ...['linux-image-cloud-amd64', 'busybox-static', 'dash', 'bash', 'coreutils', 'grep', 'sed', 'findutils'],
  ...['bsdutils', 'util-linux', 'procps', 'libstdc++6', 'libatomic1', 'qemu-system-x86', 'perl-base'],
];

/** Drawn in by dependencies, and of no use in the lab. */
const UNUSED_PACKAGES =
  /^(perl(?!-base)|libperl|debconf|adduser|passwd|udev|initramfs|klibc|libklibc|linux-base|iso-codes|cpio|dpkg|libpam-|libgstreamer|gcc-|init-system|usrmerge|.*-perl$)/;

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
    // What somebody asks for may need anything.
    keep: (name) => extraPackages.length > 0 || !UNUSED_PACKAGES.test(name),
    progress,
  });
  const init = readFileSync(join(import.meta.dirname, 'root-init.sh'));
  const key = contentKey(LAYOUT, init, ...packages.map(({ name, version }) => `${name} ${version}`).sort());
  const directory = await cachedDirectory('root', key, async (building) => {
    progress(0, 0, "building the lab's root disk");
    const tree = join(building, 'tree');
    await makeRootTree(tree, packages, init);
    await writeExt4Image(tree, join(building, 'root.img'), 'lab-root');
  });
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
