/** What the VM boots: the user's kernel, or the default guest. */
import { UserError } from '@vireo/errors';
import { quote } from '../size.ts';
import type { RunOptions } from './options.ts';

export interface GuestFiles {
  readonly kernel: string;
  readonly initrd?: string;
}

/** An initrd of the user's goes with either kernel; the default one goes with its own kernel only. */
export async function findGuest({ kernel, initrd }: RunOptions): Promise<GuestFiles> {
  if (kernel !== undefined) return initrd === undefined ? { kernel } : { kernel, initrd };
  // The machine looks at both files; but nobody should wait for a kernel to be told then.
  if (initrd !== undefined && !process.getBuiltinModule('node:fs').existsSync(initrd))
    throw new UserError('file-not-found', `${quote(initrd)} does not exist`, 'Check the path.');
  const { prepareDefaultGuest } = await import('./default-guest.ts');
  const guest = await prepareDefaultGuest();
  return { kernel: guest.kernel, initrd: initrd ?? guest.initrd };
}
