/** What the VM boots: the user's kernel, or the default guest. */
import { UserError } from '@vireo/errors';
import { quote } from '../size.ts';
import type { RunOptions } from './options.ts';

export interface GuestFiles {
  readonly kernel: string;
  readonly initrd?: string;
}

/** An initrd of the user's goes with either kernel; the default one goes with its own kernel only. */
export async function findGuest(options: RunOptions): Promise<GuestFiles> {
  const { kernel, initrd } = options;
  if (kernel !== undefined) return initrd === undefined ? { kernel } : { kernel, initrd };
  await checkBeforeFetching(options);
  const { prepareDefaultGuest } = await import('./default-guest.ts');
  const guest = await prepareDefaultGuest();
  return { kernel: guest.kernel, initrd: initrd ?? guest.initrd };
}

/** The machine finds all of this, too; but nobody should wait for a guest to be told then. */
async function checkBeforeFetching({ accelerator, initrd }: RunOptions): Promise<void> {
  const { existsSync } = process.getBuiltinModule('node:fs');
  if (initrd !== undefined && !existsSync(initrd))
    throw new UserError('file-not-found', `${quote(initrd)} does not exist`, 'Check the path.');
  if (accelerator === 'kvm' && !existsSync('/dev/kvm')) {
    const { openAccelerator } = await import('@vireo/vmm/accelerator');
    (await openAccelerator(accelerator)).close();
  }
}
