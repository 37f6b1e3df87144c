/**
 * Programs under the engine print what they print on the host: busybox's, and Debian's bash, Perl, Python, gzip, xz,
 * OpenSSL, SQLite and gcc with what it compiles. `npm run test:guests`; tests/guests/programs has the scripts.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { GuestSession } from './guest-session.ts';
import { chrootMissing, type ProgramsGuest, programsGuest, runOnHost } from './programs-guest.ts';

const skip = chrootMissing() ?? false;
/** How long a program may print nothing: interpreted, and on a busy machine. */
const SILENCE_LIMIT_MS = 15 * 60_000;
/** For all of them; it takes ten minutes on two cores with other work. */
const LIMIT_MS = 3 * 60 * 60_000;
const SCRIPTS = '/programs';
const FAILURES = 'BUG|Oops|WARNING|segfault|general protection|rcu.*stall|soft lockup';

const busybox = (directory: string) =>
  `mkdir ${directory}/bin ${directory}/work; busybox --install -s ${directory}/bin; ` +
  `PATH=${directory}/bin sh ${SCRIPTS}/busybox.sh ${directory}/work 2>&1`;
const debian = (directory: string) =>
  `mkdir ${directory}/debian; bash ${SCRIPTS}/debian.sh ${directory}/debian ${SCRIPTS} 2>&1`;

/** Without what changes from run to run: how long each part took, and where it ran. */
function comparable(text: string): string[] {
  return text
    .replaceAll(/(?<=status \d+), \d+ s$/gm, '')
    .replaceAll(/\/tmp\/[\w-]+/g, '/tmp')
    .trim()
    .split('\n');
}

describe('programs under the engine', { skip, timeout: LIMIT_MS }, () => {
  let files: ProgramsGuest;
  before(async () => {
    files = await programsGuest();
  });

  for (const cpus of [1, 4])
    test(`${cpus} vCPUs: the same results as on the host`, async (t) => {
      const engine = ['--accel', 'wasm', '--cpus', `${cpus}`, '--memory', '2G', '--append', 'quiet'];
      await using guest = GuestSession.onPipes(...engine, '--initrd', files.initrd);
      await guest.booted();
      guest.process.waitLimitMs = SILENCE_LIMIT_MS;
      await guest.run('mkdir /tmp/guest');
      for (const script of [busybox, debian]) {
        const from = performance.now();
        const printed = await guest.run(script('/tmp/guest'));
        t.diagnostic(`${script.name}: ${((performance.now() - from) / 1000).toFixed(0)} s`);
        for (const [, part, seconds] of printed.matchAll(/^== (\w+): status 0, (\d+) s$/gm))
          t.diagnostic(`  ${part}: ${seconds} s`);
        assert.deepEqual(comparable(printed), comparable(runOnHost(files.tree, script)));
      }
      assert.equal(await guest.run(`busybox dmesg | grep -E "${FAILURES}"`), '');
      guest.send('busybox poweroff -f\r');
      assert.deepEqual(await guest.process.exit, { status: 0, signal: null });
    });
});
