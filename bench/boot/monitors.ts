/** The virtual machine monitors that are compared, each as a user would start it. */

import { KERNEL_ARGUMENTS } from '../../packages/cli/src/run/run.ts';
import type { Subject } from '../alternate.ts';
import type { VmCommand } from './vm-process.ts';

/** The same for all of them. */
export interface Guest {
  /** A kernel with a PVH entry. */
  readonly kernel: string;
  readonly initrd?: string;
  /** Kernel arguments beyond the serial console's. */
  readonly append: string;
  readonly memoryMib: number;
  readonly cpus: number;
}

export interface Monitor extends Subject {
  command(guest: Guest): VmCommand;
}

export interface Qemu {
  /** The program, with what it always needs. */
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly version: string;
  /** The processor that guests see, as `-cpu` names it. */
  readonly cpu: string;
}

/** What runs the processors: Vireo's own engine is compared with QEMU's, and KVM with KVM. */
export type Accelerator = 'kvm' | 'wasm';
/** QEMU's engine, with a host thread for each vCPU or one for all. */
export type TcgThreads = 'multi' | 'single';

export const VIREO = 'Vireo';
export const Q35 = 'QEMU q35';
export const MICROVM = 'QEMU microvm';

export function vireo(launcher: string, accelerator: Accelerator): Monitor {
  return {
    name: VIREO,
    command: ({ kernel, initrd, append, memoryMib, cpus }) => ({
      words: [
        ...[
          launcher,
          'run',
          '--accel',
          accelerator,
          '--memory',
          `${memoryMib}M`,
          '--cpus',
          `${cpus}`,
          '--no-reboot',
        ],
        ...['--kernel', kernel, ...(initrd === undefined ? [] : ['--initrd', initrd]), '--append', append],
      ],
    }),
  };
}

/** The ordinary PC, with nothing on its buses that was not asked for. */
export function qemuQ35(qemu: Qemu, accelerator: Accelerator): Monitor {
  return qemuMonitor(Q35, qemu, ['-machine', 'q35', ...qemuAccelerator(accelerator)]);
}

/** The same by QEMU's own engine. */
export function qemuTcg(name: string, qemu: Qemu, threads: TcgThreads): Monitor {
  return qemuMonitor(name, qemu, ['-machine', 'q35', '-accel', `tcg,thread=${threads}`]);
}

function qemuAccelerator(accelerator: Accelerator): string[] {
  return ['-accel', accelerator === 'kvm' ? 'kvm' : 'tcg'];
}

/**
 * QEMU's fastest machine for a stock kernel: the small firmware, and no legacy devices but the serial port. ACPI stays
 * on, for Debian's kernels know processors and interrupt controllers by it only. With KVM only: by QEMU's own engine there
 * is no kvmclock, nothing but a PIT could tell the TSC's frequency, and now and then the kernel fails to measure it and hangs.
 */
export function qemuMicrovm(qemu: Qemu): Monitor {
  const machine = 'microvm,acpi=on,pit=off,pic=off,rtc=off,isa-serial=on,x-option-roms=off';
  const words = ['-machine', machine, '-accel', 'kvm', '-bios', 'qboot.rom'];
  return qemuMonitor(MICROVM, qemu, words);
}

function qemuMonitor(name: string, qemu: Qemu, machine: readonly string[]): Monitor {
  return {
    name,
    command: ({ kernel, initrd, append, memoryMib, cpus }) => ({
      words: [
        ...[...qemu.words, ...machine, '-cpu', qemu.cpu, '-m', `${memoryMib}M`, '-smp', `${cpus}`],
        ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
        ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
        ...['-kernel', kernel, ...(initrd === undefined ? [] : ['-initrd', initrd])],
        ...['-append', `${KERNEL_ARGUMENTS} ${append}`],
      ],
      environment: qemu.environment,
    }),
  };
}
