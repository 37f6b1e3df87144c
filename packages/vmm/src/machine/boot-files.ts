/** The kernel and the initrd of a VM: opened and checked before anything else is made, kept for resets. */
import { type FileSource, type OpenedKernel, openInitrd, openKernel } from '@vireo/boot';
import type { VmConfig } from '../config.ts';

export class BootFiles {
  readonly kernel: OpenedKernel;
  readonly initrd: FileSource | undefined;

  private constructor(kernel: OpenedKernel, initrd: FileSource | undefined) {
    this.kernel = kernel;
    this.initrd = initrd;
  }

  /** @throws UserError */
  static async open({ kernel, initrd, cacheDirectory }: VmConfig): Promise<BootFiles> {
    const opened = openKernel(kernel, { cacheDirectory });
    try {
      const initrdSource = initrd === undefined ? undefined : await openInitrd(initrd, { cacheDirectory });
      return new BootFiles(opened, initrdSource);
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  close(): void {
    this.kernel.close();
    this.initrd?.close();
  }
}
