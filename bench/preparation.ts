/** What must be there before a benchmark, and cannot be made inside the lab: its repository is read-only. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { openKernel } from '@vireo/boot';
import { UserError } from '@vireo/errors';
import { cacheDirectory, defaultGuest } from '@vireo/images';
import { guestPrograms } from './cpu/guest-programs.ts';
import { compileExits } from './exits/c-program.ts';
import type { BenchOptions, HereOptions } from './options.ts';

export async function prepare(
  { benchmark }: BenchOptions,
  root: string,
  say: HereOptions['say'],
): Promise<void> {
  if (benchmark === 'exits') {
    const compilation = compileExits();
    if (compilation.kind === 'missing') say(`without the C program: ${compilation.why}`);
    return;
  }
  if (benchmark === 'cpu') await guestPrograms();
  say('bundling vireo, and fetching the default guest where it is missing');
  const bundle = spawnSync(process.execPath, [join(root, 'tools/bundle.ts')], {
    cwd: root,
    encoding: 'utf8',
  });
  if (bundle.status !== 0)
    throw new UserError(
      'bench-bundle',
      'The bundle cannot be made.',
      `npm run build says:\n${bundle.stderr}`,
    );
  // Unpacked once into the cache, which the lab gets a copy of.
  await linuxFiles();
}

export interface LinuxFiles {
  readonly kernel: string;
  readonly initrd: string;
}

/** The default guest, with its kernel unpacked: QEMU enters only an ELF by PVH. */
export async function linuxFiles(): Promise<LinuxFiles> {
  const { kernel, initrd } = await defaultGuest();
  const opened = openKernel(kernel, { protocol: 'pvh', cacheDirectory: cacheDirectory() });
  try {
    return { kernel: opened.source.name, initrd };
  } finally {
    opened.close();
  }
}
