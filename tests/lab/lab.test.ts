/** The lab from outside: what its users rely on. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const REPOSITORY = join(import.meta.dirname, '../..');

function startLab(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, 'lab.ts'), ...args], { cwd: REPOSITORY });
}

async function lab(args: readonly string[], input: Uint8Array = new Uint8Array()) {
  const child = startLab(...args);
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  const [out, err] = await Promise.all([child.stdout?.toArray(), child.stderr?.toArray()]);
  if (child.exitCode === null) await once(child, 'close');
  return {
    status: child.exitCode,
    stdout: Buffer.concat(out ?? []),
    stderr: Buffer.concat(err ?? []).toString(),
  };
}

const inShell = (script: string) => ['sh', '-c', script];

test('status, standard output and standard error are those of the command', async () => {
  const { status, stdout, stderr } = await lab(inShell('echo out; echo err >&2; exit 7'));
  assert.deepEqual([status, stdout.toString(), stderr], [7, 'out\n', 'err\n']);
});

test('a megabyte of any bytes goes in and comes out unchanged', async () => {
  const bytes = randomBytes(1 << 20);
  const { status, stdout } = await lab(['cat'], bytes);
  assert.equal(status, 0);
  assert.ok(stdout.equals(bytes));
});

test('the machine: KVM with nested paging, the pinned Node, a read-only repository, a writable /tmp', async () => {
  const script = `
    set -e
    test -c /dev/kvm
    cat /sys/module/kvm_amd/parameters/npt
    node --version
    pwd
    ! touch package.json 2>/dev/null
    cp package.json /tmp/copy
    hostname
    stat -f -c %T /sys/fs/cgroup
    ping -c 1 -w 5 127.0.0.1 >/dev/null
    test -d /sys/kernel/security/integrity && test -d /sys/kernel/tracing/events
    modprobe tun
    echo "$HOME"`;
  const { status, stdout, stderr } = await lab(inShell(script));
  assert.equal(stderr, '');
  assert.equal(status, 0);
  const [paging, node, directory, name, cgroup, home] = stdout.toString().split('\n');
  assert.match(paging ?? '', /^[1Y]$/);
  assert.equal(node, process.version);
  assert.deepEqual([directory, name, cgroup, home], [REPOSITORY, 'lab', 'cgroup2fs', '/tmp/home']);
});

test('memory, processors, NUMA nodes and kernel arguments are as asked for', async () => {
  const options = ['--memory', '3G', '--cpus', '4', '--numa', '2', '--append', 'nosmt lab.test=yes'];
  const script =
    'nproc; ls -d /sys/devices/system/node/node[0-9]* | wc -l; grep MemTotal /proc/meminfo; cat /proc/cmdline';
  const { stdout } = await lab([...options, ...inShell(script)]);
  const [processors, nodes, memory, commandLine] = stdout.toString().split('\n');
  assert.deepEqual([processors, nodes], ['4', '2']);
  const kib = Number(/\d+/.exec(memory ?? '')?.[0]);
  assert.ok(kib > 2.7 * 2 ** 20 && kib < 3 * 2 ** 20, `${memory}`);
  assert.match(commandLine ?? '', / nosmt lab\.test=yes$/);
});

test('what the command leaves running does not keep the lab', async () => {
  const { status, stdout } = await lab(inShell('sleep 1000 & echo left; exit 4'));
  assert.deepEqual([status, stdout.toString()], [4, 'left\n']);
});

test('a command killed by a signal, and one that does not exist, have the status a shell gives them', async () => {
  assert.equal((await lab(inShell('kill -TERM $$'))).status, 143);
  assert.equal((await lab(['no-such-command'])).status, 127);
});

test('a command that takes too long is ended', async () => {
  const { status, stderr } = await lab(['--timeout', '1', 'sleep', '1000']);
  assert.equal(status, 124);
  assert.match(stderr, /1 s, is up/);
});

test('a lab that cannot start says why, with its console', async () => {
  const { status, stderr } = await lab(['--append', 'init=/no/such/init', 'true']);
  assert.equal(status, 125);
  assert.match(stderr, /The lab ended before the command did/);
  assert.match(stderr, /Requested init \/no\/such\/init failed/);
});

for (const [signal, expected] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
  ['SIGKILL', null],
] as const) {
  test(`${signal} ends the lab, and no process and no file is left`, async () => {
    const child = startLab('sh', '-c', 'echo up; sleep 1000');
    await once(child.stdout!, 'data');
    const machine = childrenOf(child.pid!);
    assert.equal(machine.length, 1);
    child.kill(signal);
    await once(child, 'close');
    assert.equal(child.exitCode, expected);
    await waitUntilGone(machine[0]!);
    const mine = readdirSync(tmpdir()).filter((name) => name.startsWith(`.tmp-${child.pid}-`));
    // A killed runner cannot tidy up: the next one does.
    assert.equal(mine.length, signal === 'SIGKILL' ? 1 : 0);
  });
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

async function waitUntilGone(pid: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      if (/^\S+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return;
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`process ${pid} is still there`);
}
