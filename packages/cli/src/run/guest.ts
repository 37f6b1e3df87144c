/** What the VM boots: the user's kernel, or the default guest. */
import type { Stats } from 'node:fs';
import { UserError } from '../errors.ts';
import { quote } from '../size.ts';
import type { RunOptions } from './options.ts';

export interface GuestFiles {
  readonly kernel: string;
  readonly initrd?: string;
}

/** An initrd of the user's goes with either kernel; the default one goes with its own kernel only. */
export async function findGuest({ kernel, initrd }: RunOptions): Promise<GuestFiles> {
  if (kernel !== undefined) checkFile('--kernel', kernel);
  if (initrd !== undefined) checkFile('--initrd', initrd);
  if (kernel !== undefined) return initrd === undefined ? { kernel } : { kernel, initrd };
  const { prepareDefaultGuest } = await import('./default-guest.ts');
  const guest = await prepareDefaultGuest();
  return { kernel: guest.kernel, initrd: initrd ?? guest.initrd };
}

/** Before anything is started: what is wrong with a file is the user's to mend. */
function checkFile(option: string, path: string): void {
  const { accessSync, constants, statSync } = process.getBuiltinModule('node:fs');
  const refuse = (what: string, fix: string) =>
    new UserError('bad-file', `${option} ${quote(path)} ${what}`, fix);
  let file: Stats;
  try {
    file = statSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EACCES')
      throw refuse('is in a directory that you may not search', 'Change its permissions.');
    throw refuse('does not exist', 'Check the path.');
  }
  if (!file.isFile())
    throw refuse(file.isDirectory() ? 'is a directory' : 'is not a regular file', 'Name a file.');
  try {
    accessSync(path, constants.R_OK);
  } catch {
    throw refuse('cannot be read by you', 'Change its permissions, or copy it.');
  }
}
