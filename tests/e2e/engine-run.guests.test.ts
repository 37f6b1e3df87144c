/**
 * `vireo run` under the engine as its user sees it: every way in and out, and nothing left behind. The same as
 * run.lab.test.ts has for KVM. `npm run test:guests`.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { defaultGuest } from '@vireo/images';
import { type TerminalProcess, TestProcess } from '../../packages/cli/src/testing/test-process.ts';
import { BOOT_LIMIT_MS, GuestSession, VIREO } from './guest-session.ts';

const LIMIT_MS = 2 * 60 * 60_000;
const directory = mkdtempSync(join(tmpdir(), 'vireo-engine-run-'));
/** What a VM is called here, and no other on this host. */
const NAME = `engine-run-${process.pid}`;
const FAILURE = { status: 1, signal: null };
const SUCCESS = { status: 0, signal: null };

describe('vireo run under the engine', { timeout: LIMIT_MS }, () => {
  let engine: string[];
  before(async () => {
    const { kernel, initrd } = await defaultGuest();
    const guest = ['--kernel', kernel, '--initrd', initrd, '--append', 'quiet'];
    engine = ['--accel', 'wasm', '--name', NAME, ...guest];
    // Of its own, so that whatever appears there is the VM's.
    for (const [variable, name] of [
      ['XDG_CACHE_HOME', 'cache'],
      ['TMPDIR', 'tmp'],
    ] as const) {
      process.env[variable] = join(directory, name);
      mkdirSync(process.env[variable]);
    }
  });
  after(() => rmSync(directory, { recursive: true }));

  afterEach(() => {
    const { stdout } = spawnSync('ps', ['-e', '-o', 'pid=,args='], { encoding: 'utf8' });
    const processes = stdout.split('\n').filter((line) => line.includes(`vireo: ${NAME}`));
    assert.deepEqual(processes, [], 'a process left behind');
    const temporaries = globSync(['tmp/*', 'cache/**/{.tmp-*,*.tmp,*.part}'], { cwd: directory });
    assert.deepEqual(temporaries, [], 'temporary files left behind');
  });

  test('a scripted dialogue from a file, with the output in another', async () => {
    const [input, output] = [join(directory, 'in'), join(directory, 'out')];
    writeFileSync(input, 'echo $((6 * 7))-lines; poweroff -f\n');
    const files = [openSync(input, 'r'), openSync(output, 'w')];
    await using run = new TestProcess([VIREO, 'run', ...engine], [...files, 'pipe']);
    files.forEach(closeSync);
    assert.deepEqual(await run.exit, SUCCESS);
    assert.match(readFileSync(output, 'latin1'), /\r\n42-lines\r\n/);
    assert.equal(run.errors, '');
  });

  test("on a terminal: the guest has it raw, Ctrl-C is the guest's, Ctrl-] leaves", async () => {
    await using guest = GuestSession.onTerminal(...engine);
    const terminal = guest.process as TerminalProcess;
    await guest.booted();
    assert.equal(terminal.isRaw(), true);
    const typedAt = guest.output.length;
    guest.send('echo started-$((1)); sleep 1000\r');
    await terminal.waitFor(/started-1/, typedAt);
    // More than once: the first may come before the shell has started the program.
    const pressing = setInterval(() => guest.send('\x03'), 3000);
    await guest.prompted(typedAt).finally(() => clearInterval(pressing));
    assert.equal(await guest.run('echo $((1 + 1))'), '2');
    guest.send('\x1d');
    assert.deepEqual(await terminal.exit, SUCCESS);
    assert.equal(terminal.isRaw(), false);
    assert.match(guest.output, /vireo: ended the VM \(Ctrl-\]\)/);
  });

  test('a terminal that goes away ends the VM', async () => {
    await using guest = GuestSession.onTerminal(...engine);
    const terminal = guest.process as TerminalProcess;
    await terminal.waitUntilRaw(true);
    terminal.hangUp();
    assert.equal((await terminal.exit).status, 1);
  });

  test('SIGHUP ends the VM', async () => {
    await using guest = GuestSession.onPipes(...engine, '--cpus', '2');
    await guest.booted();
    guest.process.signal('SIGHUP');
    assert.deepEqual(await guest.process.exit, FAILURE);
    assert.match(guest.process.errors, /^vireo: ended the VM, because its terminal went away[^\n]*\n$/);
  });

  test('SIGINT presses the power button, a second one ends a guest that goes on', async () => {
    await using guest = GuestSession.onPipes(...engine, '--cpus', '4');
    await guest.booted();
    await guest.run('killall acpid; true');
    guest.process.signal('SIGINT');
    await guest.process.waitFor(/pressed the power button/);
    guest.process.signal('SIGINT');
    assert.deepEqual(await guest.process.exit, FAILURE);
    assert.match(guest.process.errors, /\nvireo: ended the VM at once \(SIGINT\)[^\n]*\n$/);
  });

  test('--no-reboot: a reset ends with status 0', async () => {
    await using guest = GuestSession.onPipes(...engine, '--no-reboot');
    await guest.booted();
    guest.send('reboot -f\r');
    assert.deepEqual(await guest.process.exit, SUCCESS);
    assert.equal(guest.process.errors, '');
  });

  test('a triple fault ends with status 1 and one line, with --verbose the registers too', async () => {
    await using guest = GuestSession.onPipes(...engine, '--append', 'quiet reboot=t', '--verbose');
    await guest.booted();
    guest.send('reboot -f\r');
    assert.deepEqual(await guest.process.exit, FAILURE);
    assert.match(
      guest.process.errors,
      /vireo: vCPU 0 stopped: .*triple fault.*\n(.*\n)*.*RIP.*[0-9a-f]{16}/im,
    );
  });

  test('two VMs at once, one with 3 GiB, threads as ps shows them', async () => {
    await using small = GuestSession.onPipes(...engine, '--memory', '128M');
    await using large = GuestSession.onPipes(...engine, '--memory', '3G', '--cpus', '2');
    await Promise.all([small.booted(), large.booted()]);
    const kib = Number(/MemTotal:\s+(\d+)/.exec(await large.run('grep MemTotal /proc/meminfo'))?.[1]);
    assert.ok(kib > 2.8 * 2 ** 20 && kib < 3 * 2 ** 20, `${kib} KiB`);
    const threads = spawnSync('ps', ['-T', '-o', 'comm=', '-p', `${large.process.pid}`], {
      encoding: 'utf8',
    });
    const vcpus = threads.stdout.split('\n').filter((name) => name.startsWith('vcpu'));
    assert.deepEqual(vcpus.sort(), ['vcpu0', 'vcpu1']);
    for (const guest of [small, large]) {
      guest.send('poweroff -f\r');
      assert.deepEqual(await guest.process.exit, SUCCESS);
    }
  });

  test('a reader of the output who has had enough ends the VM with status 0', async () => {
    await using run = new TestProcess([VIREO, 'run', ...engine], ['pipe', 'pipe', 'pipe']);
    run.waitLimitMs = BOOT_LIMIT_MS;
    await run.waitFor(/default guest/);
    run.child.stdout!.destroy();
    run.child.stdin!.write('seq 1 1000\r');
    assert.deepEqual(await run.exit, SUCCESS);
  });

  test('a home directory that cannot be written does not matter to a kernel that is named', async () => {
    process.env['XDG_CACHE_HOME'] = '/dev/null/cache';
    await using guest = GuestSession.onPipes(...engine);
    await guest.booted();
    guest.send('poweroff -f\r');
    assert.deepEqual(await guest.process.exit, SUCCESS);
  });
});
