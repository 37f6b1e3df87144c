/** The default guest on its own, in QEMU's emulation of an ordinary PC: what its init promises. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { defaultGuest, noProgress } from '@vireo/images';
import { unpackedKernel } from './kernel.ts';
import { qemuCommand } from './machine.ts';
import { rootDisk } from './root-disk.ts';

const { tree } = await rootDisk([], noProgress);
const guest = await defaultGuest();
const PROMPT = 'vireo:~# ';
const GREETING = /^Vireo's default guest: Linux 6\.1\S+ and busybox\./m;
const VIRTIO_DEVICES = ['virtio-rng-pci', 'virtio-balloon-pci', 'virtio-net-pci', 'virtio-serial-pci'];

/** Far more than a step takes on a busy machine. */
const STEP_MS = 60_000;

/** A guest and its console, read as a person would. */
class Dialogue {
  readonly process: ChildProcess;
  #text = '';
  #read = 0;

  constructor(context: TestContext, append: string, devices: readonly string[] = []) {
    const [program = '', ...args] = [
      ...[...qemuCommand(tree), '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...['-machine', 'q35', '-accel', 'tcg', '-cpu', 'max', '-m', '512M'],
      ...['-kernel', unpackedKernel(guest.kernel), '-initrd', guest.initrd],
      ...['-append', `console=ttyS0 quiet panic=-1 ${append}`, '-serial', 'stdio'],
      ...['-chardev', 'socket,id=monitor,fd=3', '-mon', 'chardev=monitor'],
      ...devices.flatMap((device) => ['-device', device]),
    ];
    this.process = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
      env: { QEMU_MODULE_DIR: join(tree, 'usr/lib/x86_64-linux-gnu/qemu') },
    });
    this.process.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.#text += chunk.replaceAll('\r', '');
    });
    context.after(() => this.process.kill('SIGKILL'));
  }

  get text(): string {
    return this.#text;
  }

  /** What the guest prints up to and including this, after what was read before. */
  async until(wanted: string): Promise<string> {
    const late = Date.now() + STEP_MS;
    for (;;) {
      const start = this.#read;
      const at = this.#text.indexOf(wanted, start);
      if (at >= 0) {
        this.#read = at + wanted.length;
        return this.#text.slice(start, this.#read);
      }
      if (Date.now() > late) assert.fail(`no ${wanted} in:\n${this.#text}`);
      if (this.process.exitCode !== null) assert.fail(`the guest ended:\n${this.#text}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  type(text: string): void {
    this.process.stdin?.write(text);
  }

  async run(command: string): Promise<string> {
    this.type(`${command}\n`);
    await this.until('\n'); // the echo
    return (await this.until(PROMPT)).slice(0, -PROMPT.length);
  }

  /** The guest's acpid starts when all drivers are loaded. */
  async driversLoaded(): Promise<void> {
    const late = Date.now() + STEP_MS;
    while (!/\d/.test(await this.run('pidof acpid'))) {
      if (Date.now() > late) assert.fail(`no acpid in:\n${this.#text}`);
    }
  }

  monitor(command: string): void {
    (this.process.stdio[3] as Duplex).write(`${command}\n`);
  }

  async ended(): Promise<void> {
    if (this.process.exitCode === null) await once(this.process, 'close');
    assert.equal(this.process.exitCode, 0, this.#text);
  }
}

const LIMIT = { timeout: 180_000 };

test('a greeting and a shell with job control; its end is the end of the guest', LIMIT, async (context) => {
  const dialogue = new Dialogue(context, '', VIRTIO_DEVICES);
  assert.match(await dialogue.until(PROMPT), GREETING);
  assert.equal(await dialogue.run('tty'), '/dev/ttyS0\n');
  // When tail has shown the file, it and nothing else is in the foreground.
  dialogue.type('tail -f /etc/passwd\n');
  await dialogue.until('root:x:0:0:');
  dialogue.type('\x03');
  await dialogue.until(PROMPT);
  assert.equal(await dialogue.run('echo $?'), '130\n');
  await dialogue.driversLoaded();
  const drivers = await dialogue.run('ls /sys/bus/virtio/drivers');
  for (const driver of ['virtio_rng', 'virtio_balloon', 'virtio_net', 'virtio_console']) {
    assert.ok(drivers.includes(driver), `${driver} in ${drivers}`);
  }
  dialogue.type('exit\n');
  await dialogue.ended();
  assert.match(dialogue.text, /reboot: Power down/);
});

test('the power button ends the guest in an orderly way', LIMIT, async (context) => {
  const dialogue = new Dialogue(context, '');
  await dialogue.until(PROMPT);
  await dialogue.driversLoaded();
  // A press before acpid has opened the button is lost, as it is on any Linux: press again.
  const press = () => dialogue.monitor('system_powerdown');
  press();
  const again = setInterval(press, 3000);
  await dialogue.ended().finally(() => clearInterval(again));
  assert.match(dialogue.text, /reboot: Power down/);
});

test('a command of the kernel arguments runs in place of the shell', LIMIT, async (context) => {
  const dialogue = new Dialogue(context, 'vireo.run="echo one; echo two $((40 + 2))"');
  await dialogue.ended();
  assert.match(dialogue.text, /^one\ntwo 42\n/m);
  assert.doesNotMatch(dialogue.text, GREETING);
});

for (const [command, last] of [
  ['poweroff', 'reboot: Power down'],
  ['reboot', 'reboot: Restarting system'],
] as const) {
  test(`${command} does what it says`, LIMIT, async (context) => {
    const dialogue = new Dialogue(context, `vireo.run="${command}; sleep 1000"`);
    await dialogue.ended();
    assert.ok(dialogue.text.includes(last), dialogue.text);
  });
}
