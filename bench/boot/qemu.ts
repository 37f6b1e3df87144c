/** The QEMU to compare with: the host's own, or else Debian's, as the lab has it. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { noProgress } from '@vireo/images';
import { rootDisk } from '../../tests/lab/disks.ts';
import { qemuCommand } from '../../tests/lab/machine.ts';
import type { Qemu } from './monitors.ts';

const PROGRAM = 'qemu-system-x86_64';

/** @param cpu The processor that guests are to see, as `-cpu` names it. */
export async function findQemu(cpu: string): Promise<Qemu> {
  const found = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, PROGRAM))
    .find((path) => existsSync(path));
  if (found !== undefined) return withVersion({ words: [found], environment: {}, cpu });
  const { tree } = await rootDisk([], noProgress);
  const environment = { QEMU_MODULE_DIR: join(tree, 'usr/lib/x86_64-linux-gnu/qemu') };
  return withVersion({ words: qemuCommand(tree), environment, cpu });
}

function withVersion(qemu: Omit<Qemu, 'version'>): Qemu {
  const [program, ...args] = qemu.words;
  const env = { ...process.env, ...qemu.environment };
  const { stdout } = spawnSync(program ?? '', [...args, '--version'], { env, encoding: 'utf8' });
  return { ...qemu, version: /version (\S+)/.exec(stdout)?.[1] ?? 'of unknown version' };
}
