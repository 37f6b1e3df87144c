/**
 * The default guest: Debian's cloud kernel, unmodified, and an initramfs of busybox, the kernel's own
 * virtio modules and an init of ours (guest-init.sh). Built once and kept in the cache; the same
 * packages always make the same bytes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildOnce } from './build-once.ts';
import { contentKey } from './content-key.ts';
import { type CpioEntry, cpioArchive } from './cpio.ts';
import { debianPackages, packageNamed, type UnpackedPackage } from './debian-packages.ts';
import { placeFile } from './file-tree.ts';
import { modulesAlias, modulesDep, selectModules } from './module-set.ts';
import { requireProgram } from './program.ts';
import { noProgress, type Progress } from './progress.ts';
import { cacheDirectory } from './xdg.ts';

export interface DefaultGuest {
  /** Paths of a bzImage and of an initramfs. */
  readonly kernel: string;
  readonly initrd: string;
  /** The kernel's release, such as `6.1.0-56-cloud-amd64`. */
  readonly version: string;
}

/** Raised when something changes in the initramfs that its key would not show. */
const LAYOUT = '1';

/** Every device that Vireo gives a guest, and the ACPI power button with what reports it to user space. */
const MODULES = [
  ...['button', 'evdev', 'virtio_pci', 'virtio_mmio', 'virtio_blk', 'virtio_net', 'virtio_console'],
  ...['virtio_rng', 'virtio_balloon', 'virtio_scsi', 'virtio_mem', 'virtio_pmem', 'virtio_input'],
  ...['virtiofs', 'vmw_vsock_virtio_transport'],
];

/** acpid runs this when the power button is pressed: event type EV_KEY, code KEY_POWER. */
const POWER_BUTTON_ACTION = 'etc/acpi/PWRF/00000080';

export async function defaultGuest(progress: Progress = noProgress): Promise<DefaultGuest> {
  const scripts = readScripts();
  const directory = await buildOnce(guestDirectory(scripts), async (building) => {
    const packages = await debianPackages({
      names: ['linux-image-cloud-amd64', 'busybox-static'],
      keep: (name) => name === 'busybox-static' || name.startsWith('linux-image-'),
      progress,
    });
    progress(0, 0, 'building the default guest');
    await buildGuest(building, packages, scripts);
  });
  return guestIn(directory);
}

function readScripts(): GuestScripts {
  return {
    init: readFileSync(join(import.meta.dirname, 'guest-init.sh')),
    linuxrc: readFileSync(join(import.meta.dirname, 'guest-linuxrc.sh')),
  };
}

/** Keyed by what Vireo puts in, not by Debian's versions, so that a built guest is found without package lists. */
function guestDirectory({ init, linuxrc }: GuestScripts): string {
  return join(cacheDirectory(), 'guest', contentKey(LAYOUT, init, linuxrc, ...MODULES));
}

function guestIn(directory: string): DefaultGuest {
  return {
    kernel: join(directory, 'vmlinuz'),
    initrd: join(directory, 'initrd'),
    version: readFileSync(join(directory, 'version'), 'utf8').trim(),
  };
}

async function buildGuest(
  directory: string,
  packages: readonly UnpackedPackage[],
  scripts: GuestScripts,
): Promise<void> {
  const kernel = packageNamed(packages, /^linux-image-\d/);
  const version = kernel.name.slice('linux-image-'.length);
  placeFile(join(kernel.directory, 'boot', `vmlinuz-${version}`), join(directory, 'vmlinuz'));
  const busybox = join(packageNamed(packages, 'busybox-static').directory, 'bin/busybox');
  const applets = (await requireProgram(busybox, ['--list'])).trim().split('\n');
  const entries = guestFiles({
    ...scripts,
    busybox: readFileSync(busybox),
    applets: applets.filter((name) => name !== 'busybox'),
    modules: selectModules(join(kernel.directory, 'lib/modules', version), MODULES),
    version,
  });
  // Not compressed: a few MB are read faster than the guest could unpack them.
  writeFileSync(join(directory, 'initrd'), Buffer.concat([...cpioArchive(entries)]));
  writeFileSync(join(directory, 'version'), `${version}\n`);
}

interface GuestScripts {
  readonly init: Uint8Array;
  readonly linuxrc: Uint8Array;
}

interface GuestContents extends GuestScripts {
  readonly busybox: Uint8Array;
  readonly applets: readonly string[];
  readonly modules: ReturnType<typeof selectModules>;
  readonly version: string;
}

function guestFiles({ init, linuxrc, busybox, applets, modules, version }: GuestContents): CpioEntry[] {
  const text = (path: string, data: string, mode = 0o644): CpioEntry => ({
    kind: 'file',
    path,
    mode,
    data: Buffer.from(data),
  });
  const moduleRoot = `lib/modules/${version}`;
  const files: CpioEntry[] = [
    { kind: 'file', path: 'init', mode: 0o755, data: init },
    { kind: 'file', path: 'linuxrc', mode: 0o755, data: linuxrc },
    { kind: 'character-device', path: 'dev/console', major: 5, minor: 1 },
    { kind: 'file', path: 'bin/busybox', mode: 0o755, data: busybox },
    ...applets.map((name): CpioEntry => ({ kind: 'symlink', path: `bin/${name}`, target: 'busybox' })),
    text('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n'),
    text('etc/group', 'root:x:0:\n'),
    text(POWER_BUTTON_ACTION, '#!/bin/sh\npoweroff\n', 0o755),
    ...modules.map(({ path, data }): CpioEntry => ({ kind: 'file', path: `${moduleRoot}/${path}`, data })),
    text(`${moduleRoot}/modules.dep`, modulesDep(modules)),
    text(`${moduleRoot}/modules.alias`, modulesAlias(modules)),
  ];
  return withDirectories(['proc', 'sys', 'root', 'tmp', 'run'], files);
}

/** Every directory of the archive comes before the first file in it. */
function withDirectories(empty: readonly string[], files: readonly CpioEntry[]): CpioEntry[] {
  const parents = new Set<string>(empty);
  for (const { path } of files) {
    const parts = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) parents.add(parts.slice(0, depth).join('/'));
  }
  return [...[...parents].sort().map((path): CpioEntry => ({ kind: 'directory', path })), ...files];
}
