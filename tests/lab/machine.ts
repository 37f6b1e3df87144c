/**
 * The lab's machine: QEMU's software emulation of a PC whose processor has AMD-V with nested paging.
 * All of its channels are socket pairs that it inherits, so there is nothing to connect to or to remove.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { basename, join } from 'node:path';
import { Duplex, type Readable } from 'node:stream';
import type { LabOptions } from './options.ts';
import type { RootDisk } from './root-disk.ts';

export interface Disks {
  readonly root: RootDisk;
  /** In the order of their NVMe namespaces, from the second on (init.sh). */
  readonly others: readonly string[];
}

export interface Machine {
  readonly process: ChildProcess;
  /** QEMU's own complaints. */
  readonly complaints: Readable;
  readonly console: Duplex;
  readonly stdin: Duplex;
  readonly stdout: Duplex;
  readonly stderr: Duplex;
  readonly control: Duplex;
}

/** File descriptors of the channels in QEMU, in the order of Machine's fields. */
const CHANNELS = ['console', 'stdin', 'stdout', 'stderr', 'control'] as const;
const FIRST_FD = 3;
const LIBRARIES = 'usr/lib/x86_64-linux-gnu';

export function startMachine(options: LabOptions, disks: Disks): Machine {
  const program = (path: string) => loaderCommand(disks.root.tree, path);
  const command = [
    // Should the runner be killed, QEMU goes with it.
    ...[...program('usr/bin/setpriv'), '--pdeathsig', 'KILL'],
    ...[...qemuCommand(disks.root.tree), ...machineArguments(options, disks)],
  ];
  const child = spawn(command[0] ?? '', command.slice(1), {
    stdio: ['ignore', 'ignore', 'pipe', ...CHANNELS.map(() => 'pipe' as const)],
    env: { QEMU_MODULE_DIR: join(disks.root.tree, LIBRARIES, 'qemu') },
    // Of a process group of its own: Ctrl-C is the runner's to act on.
    detached: true,
  });
  const channel = (name: (typeof CHANNELS)[number]) => {
    const stream = child.stdio[FIRST_FD + CHANNELS.indexOf(name)];
    if (!(stream instanceof Duplex)) throw new Error(`no channel ${name} to QEMU`);
    return stream;
  };
  if (!child.stderr) throw new Error('no standard error from QEMU');
  return {
    process: child,
    complaints: child.stderr,
    console: channel('console'),
    stdin: channel('stdin'),
    stdout: channel('stdout'),
    stderr: channel('stderr'),
    control: channel('control'),
  };
}

/** How to start QEMU from its unpacked packages; the environment should have QEMU_MODULE_DIR. */
export function qemuCommand(tree: string): string[] {
  return [
    ...loaderCommand(tree, 'usr/bin/qemu-system-x86_64'),
    ...['usr/share/qemu', 'usr/share/seabios', 'usr/lib/ipxe/qemu'].flatMap((path) => [
      '-L',
      join(tree, path),
    ]),
  ];
}

/** Runs a program with the C library it was built for, whatever the host has. */
export function loaderCommand(tree: string, path: string): string[] {
  const libraries = join(tree, LIBRARIES);
  const loader = join(libraries, 'ld-linux-x86-64.so.2');
  return [loader, '--library-path', libraries, '--argv0', basename(path), join(tree, path)];
}

function machineArguments(options: LabOptions, disks: Disks): string[] {
  const chardevs = CHANNELS.flatMap((name, index) => [
    '-chardev',
    `socket,id=${name},fd=${FIRST_FD + index}`,
  ]);
  const ports = CHANNELS.slice(1).flatMap((name, index) => [
    '-device',
    `virtserialport,bus=ports.0,nr=${index + 1},chardev=${name},name=lab.${name}`,
  ]);
  return [
    ...['-name', 'vireo-lab', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-machine', 'q35', '-accel', accelerator(options), '-cpu', 'max'],
    ...['-m', `${options.memoryMib}M`, ...processorArguments(options)],
    // Its only task is to start the kernel by PVH, which it does faster than SeaBIOS.
    ...['-bios', join(disks.root.tree, 'usr/share/qemu/qboot.rom')],
    ...['-kernel', disks.root.kernel, '-append', kernelArguments(options)],
    ...['-device', 'nvme,id=nvme,serial=lab'],
    ...[disks.root.image, ...disks.others].flatMap(diskArguments),
    ...chardevs,
    ...['-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-pci,id=ports', ...ports],
  ];
}

/**
 * One thread for all processors, or one for each. With more than one, QEMU 7.2 may translate code in one thread while
 * another writes to it, and go on with what was there before: a kernel's patched jumps and V8's WebAssembly then run
 * into code that is gone, about once in fifteen starts of Node on a busy machine.
 */
function accelerator({ parallel }: LabOptions): string {
  return `tcg,thread=${parallel ? 'multi' : 'single'},tb-size=512`;
}

function processorArguments({ cpus, numaNodes, memoryMib }: LabOptions): string[] {
  const args = ['-smp', `cpus=${cpus},sockets=${numaNodes > 1 && cpus % numaNodes === 0 ? numaNodes : 1}`];
  if (numaNodes === 1) return args;
  for (let node = 0; node < numaNodes; node++) {
    const share = Math.floor(memoryMib / numaNodes) + (node === 0 ? memoryMib % numaNodes : 0);
    const first = Math.floor((node * cpus) / numaNodes);
    const last = Math.floor(((node + 1) * cpus) / numaNodes) - 1;
    args.push('-object', `memory-backend-ram,id=memory${node},size=${share}M`);
    args.push('-numa', `node,nodeid=${node},memdev=memory${node},cpus=${first}-${last}`);
  }
  return args;
}

function diskArguments(image: string, index: number): string[] {
  const drive = `if=none,id=disk${index},file=${image.replaceAll(',', ',,')},format=raw,readonly=on,file.locking=off`;
  return ['-drive', drive, '-device', `nvme-ns,bus=nvme,drive=disk${index},nsid=${index + 1}`];
}

function kernelArguments(options: LabOptions): string {
  return [
    'console=ttyS0 quiet panic=-1 root=/dev/nvme0n1 rootwait ro rootfstype=ext4 init=/lab/init',
    // Mitigations cost time under emulation and protect nobody here.
    'mitigations=off random.trust_cpu=on cryptomgr.notests audit=0 nowatchdog rcupdate.rcu_expedited=1',
    'i8042.noaux i8042.nomux i8042.nopnp i8042.dumbkbd',
    options.append,
  ].join(' ');
}
