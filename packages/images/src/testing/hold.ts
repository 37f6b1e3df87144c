/** Started by tests in a process of its own: holds a lock, or builds an entry, until it is ended. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildOnce } from '../build-once.ts';
import { withLock } from '../lock-file.ts';

const [what = '', path = ''] = process.argv.slice(2);
const untilEnded = async () => {
  process.stdout.write('ready\n');
  await new Promise((resolve) => setTimeout(resolve, 60_000));
};

if (what === 'lock') await withLock(path, untilEnded);
if (what === 'build') {
  await buildOnce(path, async (directory) => {
    writeFileSync(join(directory, 'half'), '');
    await untilEnded();
  });
}
