/** The life of a VM with real threads, devices and streams; its vCPUs follow scripts instead of running a guest. */
import './testing/scripted-hooks.ts';
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VmConfig, VmOutcome } from './config.ts';
import * as ports from './machine/ports.ts';
import { withinMs } from './testing/run-vcpus.ts';

// Only now are the hooks in place.
const { VirtualMachine } = await import('./virtual-machine.ts');
const { Machine } = await import('./machine/machine.ts');
const { BootFiles } = await import('./machine/boot-files.ts');
const { SerialConsole } = await import('./machine/serial-console.ts');
const { openKvm, stage } = await import('./testing/scripted-kvm.ts');
const { Bench, LIMIT_MS } = await import('./testing/scripted-machine.ts');

const FOREVER = 'access 1000000000';
const UNHANDLED: unknown[] = [];
process.on('unhandledRejection', (reason) => UNHANDLED.push(reason));

type Bench = InstanceType<typeof Bench>;

async function until(condition: () => boolean): Promise<void> {
  const wait = async () => {
    while (!condition()) await sleep(1);
  };
  await withinMs(LIMIT_MS, wait());
}

async function runToEnd(bench: Bench, config: Partial<VmConfig> = {}): Promise<VmOutcome> {
  const vm = await withinMs(LIMIT_MS, VirtualMachine.start(bench.config(config)));
  return await withinMs(LIMIT_MS, vm.outcome);
}

/** Runs one power cycle of vCPUs with these scripts. */
async function outcomeOf(...scripts: string[]): Promise<VmOutcome> {
  using bench = new Bench({ cycles: [scripts] });
  const outcome = await runToEnd(bench);
  await bench.assertClean();
  return outcome;
}

async function rejectionOf(...scripts: string[]): Promise<Error & Record<string, unknown>> {
  using bench = new Bench({ cycles: [scripts] });
  const error = await runToEnd(bench).then(
    (outcome) => assert.fail(`ended with ${outcome.kind}`),
    (error: unknown) => error as Error & Record<string, unknown>,
  );
  await bench.assertClean();
  return error;
}

describe('how a VM ends', () => {
  test('power-off', async () => {
    assert.deepEqual(await outcomeOf('power-off', ''), { kind: 'power-off' });
  });

  test('power-off, while the other vCPUs are in the middle of accesses', async () => {
    for (let round = 0; round < 2; round++)
      assert.deepEqual(await outcomeOf('wait 30; power-off', FOREVER, FOREVER, FOREVER), {
        kind: 'power-off',
      });
  });

  test('power-off by a vCPU other than the first, whatever the guest does afterwards', async () => {
    assert.deepEqual(await outcomeOf(FOREVER, `power-off; reset; ${FOREVER}`), { kind: 'power-off' });
  });

  test('debug exit, with its value', async () => {
    assert.deepEqual(await outcomeOf(`out ${ports.DEBUG_EXIT_PORT} 1 42`), { kind: 'debug-exit', value: 42 });
  });

  test('triple fault, with the vCPU and its registers', async () => {
    const outcome = await outcomeOf(FOREVER, 'wait 10; triple-fault', '');
    assert.ok(outcome.kind === 'triple-fault');
    assert.equal(outcome.vcpu, 1);
    assert.match(outcome.message, /^triple fault at rip 0x1234: /);
    assert.match(outcome.registers, /^rip 0000000000001234 /m);
  });

  test('an instruction that cannot be emulated, with its bytes', async () => {
    const outcome = await outcomeOf('internal-error');
    assert.ok(outcome.kind === 'internal-error');
    assert.match(outcome.message, /cannot emulate at rip 0x1234 \(0f0b\)/);
  });

  test('a state that the processor refuses, with its reason', async () => {
    const outcome = await outcomeOf('fail-entry');
    assert.ok(outcome.kind === 'fail-entry');
    assert.match(outcome.message, /reason 0x80000021/);
  });

  test('panic, by the device and by the console', async () => {
    const line = 'print Kernel panic - not syncing: Fatal exception\\n';
    assert.deepEqual(await outcomeOf(`${line}; panic`), { kind: 'panic', message: 'Fatal exception' });
    assert.deepEqual(await outcomeOf(`${line}; reset`), { kind: 'panic', message: 'Fatal exception' });
    assert.deepEqual(await outcomeOf('panic'), { kind: 'panic', message: 'its console does not say why' });
  });

  test('reset, where it is not to start again', async () => {
    using bench = new Bench({ cycles: [['reset', FOREVER]] });
    assert.deepEqual(await runToEnd(bench, { noReboot: true }), { kind: 'reset' });
    await bench.assertClean();
    assert.equal(stage.vms, 1);
  });
});

describe('what goes wrong', () => {
  test('the host refuses in a vCPU’s thread: a HostError, all of it', async () => {
    const error = await rejectionOf(FOREVER, 'refuse', FOREVER);
    assert.equal(error.name, 'HostError');
    const { call, errno, code, subject, advice } = error;
    assert.deepEqual(
      { call, errno, code, subject, advice },
      {
        call: 'ioctl',
        errno: 14,
        code: 'EFAULT',
        subject: 'KVM_RUN',
        advice: 'Use another host.',
      },
    );
  });

  test('a bug in a vCPU’s thread: the error, and where', async () => {
    const error = await rejectionOf(FOREVER, 'bug');
    assert.match(error.message, /a bug in the vCPU/);
    assert.match(error.stack ?? '', /scripted-vcpu/);
  });

  test('a thread that ends without a word', async () => {
    const error = await rejectionOf('', 'vanish');
    assert.match(error.message, /vCPU 1 ended without a word/);
  });

  test('a device model fails, while vCPUs are in the middle of accesses', async () => {
    using bench = new Bench({
      cycles: [[`wait 20; out ${ports.ACPI_POWER_PORT} 2 1`, FOREVER, FOREVER]],
      brokenGsi: ports.SCI_GSI,
    });
    await assert.rejects(runToEnd(bench), /a device model failed/);
    await bench.assertClean();
  });

  test('the host has one vCPU less: those that run already are stopped', async () => {
    using bench = new Bench({ cycles: [[FOREVER, 'print x', '', '']], refusedVcpu: 2 });
    await assert.rejects(withinMs(LIMIT_MS, VirtualMachine.start(bench.config())), {
      name: 'HostError',
      subject: 'KVM_CREATE_VCPU',
    });
    await bench.assertClean();
  });

  test('a kernel that is none, or none that is there', async () => {
    using bench = new Bench({ cycles: [['', '']] });
    for (const kernel of [process.execPath, '/nonexistent/vmlinux']) {
      await assert.rejects(withinMs(LIMIT_MS, VirtualMachine.start(bench.config({ kernel }))), {
        name: 'UserError',
      });
      await bench.assertClean();
    }
  });

  test('too little memory for the kernel', async () => {
    using bench = new Bench({ cycles: [['']] });
    await assert.rejects(withinMs(LIMIT_MS, VirtualMachine.start(bench.config({ memoryBytes: 2 ** 20 }))), {
      name: 'UserError',
    });
    await bench.assertClean();
  });

  test('threads that cannot load', async () => {
    process.env['VIREO_TEST_BROKEN_VCPU'] = '1';
    try {
      using bench = new Bench({ cycles: [['', '']] });
      await assert.rejects(runToEnd(bench), /a thread that cannot load/);
      await bench.assertClean();
    } finally {
      delete process.env['VIREO_TEST_BROKEN_VCPU'];
    }
  });
});

test('a machine whose threads ended before it started does not start', async () => {
  process.env['VIREO_TEST_BROKEN_VCPU'] = '1';
  using bench = new Bench({ cycles: [['', '']] });
  const config = bench.config();
  const files = await BootFiles.open(config);
  const console = new SerialConsole();
  console.connect(config.console());
  const machine = new Machine(config, console);
  delete process.env['VIREO_TEST_BROKEN_VCPU'];
  const end = await withinMs(LIMIT_MS, machine.ended);
  assert.equal(end.kind, 'error');
  const hypervisor = openKvm();
  machine.start(hypervisor, files);
  machine.stop();
  hypervisor.close();
  files.close();
  console.close();
  assert.equal(stage.vms, 0);
  await bench.assertClean();
});

describe('resets', () => {
  test('a storm of them, with vCPUs in the middle of accesses, leaves nothing behind', async () => {
    const resets = 8;
    const cycles = Array.from({ length: resets }, () => ['wait 5; reset', FOREVER, '']);
    using bench = new Bench({ cycles: [...cycles, ['power-off']] });
    assert.deepEqual(await runToEnd(bench), { kind: 'power-off' });
    await bench.assertClean();
    assert.equal(stage.vms, resets + 1);
    assert.equal(stage.backings.length, resets + 1);
  });

  test('the console goes on: output in order, input for the machine that is there', async () => {
    using bench = new Bench({
      cycles: [['print one\\n; reset'], ['print two\\n; reset'], ['print three\\n; power-off']],
    });
    await runToEnd(bench);
    assert.equal(bench.output.text, 'one\r\ntwo\r\nthree\r\n');
    await bench.assertClean();
  });

  test('a failure of a later power cycle is the outcome', async () => {
    using bench = new Bench({
      cycles: [
        ['reset', ''],
        ['wait 5; refuse', FOREVER],
      ],
    });
    await assert.rejects(runToEnd(bench), { name: 'HostError' });
    await bench.assertClean();
  });
});

describe('stop', () => {
  test('ends it at once, as often as it is asked', async () => {
    using bench = new Bench({ cycles: [['', FOREVER, 'print x; wait 5; print y']] });
    const vm = await VirtualMachine.start(bench.config());
    await withinMs(LIMIT_MS, Promise.all([vm.stop(), vm.stop()]));
    await vm.stop();
    assert.deepEqual(await vm.outcome, { kind: 'stopped' });
    await bench.assertClean();
  });

  test('is not lost in a storm of resets, whenever it comes', async () => {
    for (const delayMs of [0, 11, 40]) {
      using bench = new Bench({ cycles: [['reset', FOREVER]] });
      const vm = await VirtualMachine.start(bench.config());
      await sleep(delayMs);
      await withinMs(LIMIT_MS, vm.stop());
      assert.deepEqual(await vm.outcome, { kind: 'stopped' });
      await bench.assertClean();
    }
  });

  test('after the end changes nothing', async () => {
    using bench = new Bench({ cycles: [['power-off']] });
    const vm = await VirtualMachine.start(bench.config());
    assert.deepEqual(await withinMs(LIMIT_MS, vm.outcome), { kind: 'power-off' });
    await vm.stop();
    await bench.assertClean();
  });
});

describe('power button', () => {
  const enable = `out ${ports.ACPI_POWER_PORT + 2} 2 ${1 << 8}`;

  test('raises the SCI once the guest listens to it', async () => {
    using bench = new Bench({ cycles: [[`${enable}; print ready; wait 1000`]] });
    const vm = await VirtualMachine.start(bench.config());
    await until(() => bench.output.text.includes('ready'));
    vm.pressPowerButton();
    assert.deepEqual(stage.lines.at(-1), [ports.SCI_GSI, true]);
    await withinMs(LIMIT_MS, vm.stop());
    await bench.assertClean();
  });

  test('does nothing once the machine has ended, and while one ends', async () => {
    using bench = new Bench({ cycles: [[`${enable}; wait 5; reset`, FOREVER]] });
    const vm = await VirtualMachine.start(bench.config());
    const end = performance.now() + 200;
    while (performance.now() < end) {
      vm.pressPowerButton();
      await sleep(1);
    }
    await withinMs(LIMIT_MS, vm.stop());
    vm.pressPowerButton();
    await bench.assertClean();
  });
});

describe('console output at the end', () => {
  test('is all there when the outcome is', async () => {
    using bench = new Bench({ cycles: [[`print ${'last words '.repeat(200)}; power-off`]] });
    await runToEnd(bench);
    assert.equal(bench.output.text, 'last words '.repeat(200).trimEnd());
    await bench.assertClean();
  });

  test('waits for its reader, and a guest that resets waits with it', async () => {
    using bench = new Bench({ cycles: [['print hello; reset']] });
    const { promise: read, resolve: readAll } = Promise.withResolvers<void>();
    let text = '';
    const output = new Writable({
      highWaterMark: 1,
      write(chunk: Buffer, _encoding, done) {
        text += chunk.toString();
        void read.then(() => done());
      },
    });
    const vm = await VirtualMachine.start(bench.config({ console: () => ({ input: bench.input, output }) }));
    await until(() => stage.vms === 1 && stage.openVms === 0);
    await sleep(50);
    assert.equal(stage.vms, 1, 'it started again');
    assert.ok(text !== '' && 'hello'.startsWith(text));
    readAll();
    await until(() => stage.vms === 3);
    await withinMs(LIMIT_MS, vm.stop());
    assert.match(text, /^(hello)+$/);
    await bench.assertClean();
  });

  test('that nobody ever reads does not keep a VM that resets from being stopped', async () => {
    using bench = new Bench({ cycles: [['print hello; reset']] });
    const output = new Writable({ highWaterMark: 1, write: () => {} });
    const vm = await VirtualMachine.start(bench.config({ console: () => ({ input: bench.input, output }) }));
    await until(() => stage.vms === 1 && stage.openVms === 0);
    await withinMs(LIMIT_MS, vm.stop());
    assert.deepEqual(await vm.outcome, { kind: 'stopped' });
    await bench.assertClean();
  });
});

test('no promise was left to reject unseen', () => {
  assert.deepEqual(UNHANDLED, []);
});
