/**
 * `vireo run` with Debian's kernel, under KVM: run in the lab (tests/lab), where every machine has a KVM that can run
 * it. The guest is the default one: Debian's cloud kernel and a busybox shell.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { type TerminalProcess, TestProcess } from '../../packages/cli/src/testing/test-process.ts';
import { BOOT_LIMIT_MS, GuestSession, VIREO } from './guest-session.ts';
import { LeftBehind } from './left-behind.ts';

const directory = mkdtempSync(join(tmpdir(), 'vireo-e2e-'));
after(() => rmSync(directory, { recursive: true }));

describe('Debian under KVM', { timeout: 20 * BOOT_LIMIT_MS }, () => {
  let left: LeftBehind;
  beforeEach(() => {
    left = new LeftBehind();
  });
  afterEach(() => left.check());

  test('1 vCPU and 256 MiB: boots to the shell, answers, starts again on a reset, powers off', async () => {
    await using guest = GuestSession.onPipes('--memory', '256M', '--name', 'small');
    await guest.booted();
    assert.equal(await guest.run('nproc'), '1');
    assert.match(await guest.run('uname -sm'), /^Linux x86_64$/);
    const kib = Number(/MemTotal:\s+(\d+)/.exec(await guest.run('grep MemTotal /proc/meminfo'))?.[1]);
    assert.ok(kib > 190 * 1024 && kib < 256 * 1024, `${kib} KiB`);
    assert.equal(await guest.run('seq 1 20000 | wc -l'), '20000');
    assert.match(
      await guest.run('cat /sys/devices/system/clocksource/clocksource0/current_clocksource'),
      /kvm-clock|tsc/,
    );

    const length = guest.output.length;
    guest.send('reboot\r');
    await guest.booted(length);
    assert.match(await guest.run('cut -d. -f1 /proc/uptime'), /^\d{1,2}$/);
    guest.send('poweroff\r');
    assert.deepEqual(await guest.process.exit, { status: 0, signal: null });
    assert.equal(guest.process.errors, '');
  });

  test('4 vCPUs and 5 GiB: memory above the PCI hole, threads as ps shows them, SIGTERM powers off', async () => {
    await using guest = GuestSession.onPipes('--cpus', '4', '--memory', '5G', '--name', 'large');
    await guest.booted();
    assert.equal(await guest.run('nproc'), '4');
    assert.equal(await guest.run('cat /sys/devices/system/cpu/online'), '0-3');
    const kib = Number(/MemTotal:\s+(\d+)/.exec(await guest.run('grep MemTotal /proc/meminfo'))?.[1]);
    assert.ok(kib > 4.7 * 2 ** 20 && kib < 5 * 2 ** 20, `${kib} KiB`);
    assert.match(await guest.run('grep "System RAM" /proc/iomem'), /^100000000-/m);
    // Each vCPU takes interrupts of its own.
    for (const cpu of [0, 1, 2, 3])
      assert.equal(await guest.run(`taskset -c ${cpu} echo $((40 + ${cpu}))`), `${40 + cpu}`);

    const { pid } = guest.process;
    const threads = spawnSync('ps', ['-T', '-o', 'comm=', '-p', `${pid}`], { encoding: 'utf8' }).stdout.split(
      '\n',
    );
    assert.deepEqual(threads.filter((name) => name.startsWith('vcpu')).sort(), [
      'vcpu0',
      'vcpu1',
      'vcpu2',
      'vcpu3',
    ]);
    assert.match(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), /^vireo: large\0*$/);

    guest.process.signal('SIGTERM');
    assert.deepEqual(await guest.process.exit, { status: 0, signal: null });
    assert.match(guest.process.errors, /^vireo: pressed the power button[^\n]*\n$/);
    assert.match(guest.output, /reboot: Power down/);
  });

  test('--no-reboot: a reset ends with status 0', async () => {
    await using guest = GuestSession.onPipes('--no-reboot', '--append', 'quiet');
    await guest.booted();
    guest.send('reboot -f\r');
    assert.deepEqual(await guest.process.exit, { status: 0, signal: null });
  });

  test('a panic ends with status 1 and one line', async () => {
    await using guest = GuestSession.onPipes('--append', 'quiet');
    await guest.booted();
    guest.send('echo c >/proc/sysrq-trigger\r');
    assert.deepEqual(await guest.process.exit, { status: 1, signal: null });
    assert.match(guest.process.errors, /^vireo: the guest's kernel panicked: sysrq triggered crash[^\n]*\n$/);
  });

  test('a triple fault ends with status 1 and one line, with --verbose the registers too', async () => {
    await using guest = GuestSession.onPipes('--append', 'quiet reboot=t', '--verbose');
    await guest.booted();
    guest.send('reboot -f\r');
    assert.deepEqual(await guest.process.exit, { status: 1, signal: null });
    assert.match(
      guest.process.errors,
      /^vireo: vCPU 0 stopped: .*triple fault.*\n(.*\n)*.*RIP.*[0-9a-f]{16}/im,
    );
  });

  test('a scripted dialogue from a file, with the output in another', async () => {
    const [input, output] = [join(directory, 'in'), join(directory, 'out')];
    writeFileSync(input, 'echo $((6 * 7))-lines; poweroff\n');
    const files = [openSync(input, 'r'), openSync(output, 'w')];
    const run = new TestProcess([VIREO, 'run', '--append', 'quiet'], [...files, 'pipe']);
    files.forEach(closeSync);
    assert.deepEqual(await run.exit, { status: 0, signal: null });
    assert.match(readFileSync(output, 'latin1'), /\r\n42-lines\r\n/);
  });

  test("on a terminal: the guest has it raw, Ctrl-C is the guest's, Ctrl-] leaves", async () => {
    await using guest = GuestSession.onTerminal('--name', 'term', '--append', 'quiet');
    const terminal = guest.process as TerminalProcess;
    await guest.booted();
    assert.equal(terminal.isRaw(), true);
    const after = guest.output.length;
    guest.send('echo started-$((1)); sleep 1000\r');
    await terminal.waitFor(/started-1/, after);
    // More than once: the first may come before the shell has started the program.
    const pressing = setInterval(() => guest.send('\x03'), 3000);
    await guest.prompted(after).finally(() => clearInterval(pressing));
    assert.equal(await guest.run('echo $((1 + 1))'), '2');
    guest.send('\x1d');
    assert.deepEqual(await terminal.exit, { status: 0, signal: null });
    assert.equal(terminal.isRaw(), false);
    assert.match(guest.output, /vireo: ended the VM/);
  });

  test('a terminal that goes away ends the VM', async () => {
    await using guest = GuestSession.onTerminal('--append', 'quiet');
    const terminal = guest.process as TerminalProcess;
    await terminal.waitUntilRaw(true);
    terminal.hangUp();
    assert.equal((await terminal.exit).status, 1);
  });

  test('a second signal ends a guest that has not powered off', async () => {
    await using guest = GuestSession.onPipes('--append', 'quiet');
    await guest.process.waitFor(/./s);
    guest.process.signal('SIGINT');
    await guest.process.waitFor(/pressed the power button/);
    guest.process.signal('SIGINT');
    assert.equal((await guest.process.exit).status, 1);
    assert.match(guest.process.errors, /\nvireo: ended the VM at once \(SIGINT\)[^\n]*\n$/);
  });
});
