/** What a virtual machine is asked to be, and how it may end. */
import type { Readable, Writable } from 'node:stream';
import type { AcceleratorName } from '@vireo/hypervisor';

export interface VmConfig {
  /** Shown as the process's title. */
  readonly name: string;
  /** 'auto': KVM where it can run unmodified kernels, else the engine. */
  readonly accelerator: 'auto' | AcceleratorName;
  readonly cpus: number;
  /** Whole MiB. */
  readonly memoryBytes: number;
  /** Path of a vmlinux or bzImage. */
  readonly kernel: string;
  readonly initrd?: string;
  /** All of it; nothing is added. */
  readonly commandLine: string;
  /** A guest reset ends the VM instead of starting it again. */
  readonly noReboot: boolean;
  /** Where unpacked kernels are kept between runs. */
  readonly cacheDirectory: string;
  /** Opens the far end of the serial port; called once, when the guest runs. */
  readonly console: () => ConsoleStreams;
  /** `onNotice` is told of instructions that the engine lacks, too. */
  readonly verbose?: boolean;
  /** Told in one line, when 'auto' takes the engine, why. */
  readonly onNotice?: (line: string) => void;
}

export interface ConsoleStreams {
  readonly input: Readable;
  readonly output: Writable;
}

/** Why a virtual machine ended. */
export type VmOutcome =
  | { readonly kind: 'power-off' }
  /** Only with `noReboot`. */
  | { readonly kind: 'reset' }
  | { readonly kind: 'panic'; readonly message: string }
  | VcpuFailure
  | { readonly kind: 'debug-exit'; readonly value: number }
  /** `VirtualMachine.stop`. */
  | { readonly kind: 'stopped' };

/** A vCPU cannot go on. */
export interface VcpuFailure {
  readonly kind: 'triple-fault' | 'internal-error' | 'fail-entry';
  readonly vcpu: number;
  /** One sentence. */
  readonly message: string;
  /** The vCPU's registers, formatted for a person. */
  readonly registers: string;
}
