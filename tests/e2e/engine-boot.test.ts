/** `vireo run` with the engine and the default guest, on any host. The longer ones are in engine-kernels.guests.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BOOT_LIMIT_MS, GuestSession } from './guest-session.ts';

const ENGINE = ['--accel', 'wasm', '--memory', '256M', '--append', 'quiet'];

describe('Debian under the engine', { timeout: 4 * BOOT_LIMIT_MS }, () => {
  test('2 vCPUs: boots to the shell, starts again on a reset, and a panic ends it', async () => {
    await using guest = GuestSession.onPipes(...ENGINE, '--cpus', '2');
    await guest.booted();
    assert.equal(await guest.run('nproc'), '2');
    for (const cpu of [0, 1])
      assert.equal(await guest.run(`taskset -c ${cpu} echo $((40 + ${cpu}))`), `${40 + cpu}`);
    assert.equal(await guest.run('seq 1 20000 | sort -n | md5sum'), 'e071f707df7bbeee2a6a1eb48011ddd0  -');

    const length = guest.output.length;
    guest.send('reboot -f\r');
    await guest.booted(length);
    assert.equal(await guest.run('dmesg | grep -c "reboot: Restarting"'), '0');
    guest.send('echo c >/proc/sysrq-trigger\r');
    assert.deepEqual(await guest.process.exit, { status: 1, signal: null });
    assert.match(guest.process.errors, /^vireo: the guest's kernel panicked: sysrq triggered crash[^\n]*\n$/);
  });

  test('1 vCPU: SIGTERM presses the power button, and the guest powers off', async () => {
    await using guest = GuestSession.onPipes(...ENGINE);
    await guest.booted();
    // acpid, which hears the button, starts when drivers are loaded.
    await guest.run('until pidof acpid; do sleep 1; done');
    guest.process.signal('SIGTERM');
    assert.deepEqual(await guest.process.exit, { status: 0, signal: null });
    assert.match(guest.output, /reboot: Power down/);
  });
});
