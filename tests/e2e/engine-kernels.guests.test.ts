/** Debian's kernels under the engine, with 1, 2 and 4 vCPUs: `npm run test:guests`. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { debianPackages, defaultGuest, packageNamed } from '@vireo/images';
import { GuestSession } from './guest-session.ts';

/** For one kernel; it takes five minutes on two cores with other work. A guest that hangs is found by its silence. */
const LIMIT_MS = 2 * 60 * 60_000;
const KERNELS = ['linux-image-cloud-amd64', 'linux-image-amd64'];

/** The bzImage of a kernel package. */
async function kernelOf(name: string): Promise<string> {
  const packages = await debianPackages({ names: [name], keep: (it) => it.startsWith('linux-image-') });
  const kernel = packageNamed(packages, /^linux-image-\d/);
  return join(kernel.directory, 'boot', `vmlinuz-${kernel.name.slice('linux-image-'.length)}`);
}

for (const name of KERNELS)
  describe(`${name} under the engine`, { timeout: LIMIT_MS }, () => {
    let kernel: string;
    let files: string[];
    before(async () => {
      kernel = await kernelOf(name);
      files = ['--kernel', kernel, '--initrd', (await defaultGuest()).initrd];
    });

    for (const cpus of [1, 2, 4])
      test(`${cpus} vCPUs: shell, all processors at work, reset, power-off`, async (t) => {
        const engine = ['--accel', 'wasm', '--cpus', `${cpus}`, '--append', 'quiet'];
        await using guest = GuestSession.onPipes(...engine, ...files);
        const from = performance.now();
        await guest.booted();
        t.diagnostic(`shell after ${((performance.now() - from) / 1000).toFixed(1)} s`);
        assert.equal(await guest.run('nproc'), `${cpus}`);
        assert.equal(
          await guest.run('uname -r'),
          kernel.slice(kernel.indexOf('vmlinuz-') + 'vmlinuz-'.length),
        );
        const work = 'for i in $(seq 8); do seq 5000 | sort -r | md5sum & done; wait';
        assert.equal(new Set((await guest.run(`(${work}) 2>&1`)).split('\n')).size, 1);
        assert.equal(
          await guest.run('dmesg | grep -E "BUG|Oops|WARNING|rcu.*stall|soft lockup|unstable"'),
          '',
        );

        const length = guest.output.length;
        guest.send('reboot -f\r');
        await guest.booted(length);
        assert.equal(await guest.run('nproc'), `${cpus}`);
        guest.send('poweroff -f\r');
        assert.deepEqual(await guest.process.exit, { status: 0, signal: null });
      });

    test('a panic ends with status 1', async () => {
      await using guest = GuestSession.onPipes('--accel', 'wasm', '--append', 'quiet', ...files);
      await guest.booted();
      guest.send('echo c >/proc/sysrq-trigger\r');
      assert.deepEqual(await guest.process.exit, { status: 1, signal: null });
      assert.match(guest.process.errors, /the guest's kernel panicked: sysrq triggered crash/);
    });
  });
