import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checksum, deviceAccess, deviceAnswer } from '../testing/device-accesses.ts';
import { startVcpu, withinMs } from '../testing/run-vcpus.ts';
import {
  COMMAND_RUN,
  COMMAND_STOP,
  type DeviceAccess,
  HostMailbox,
  mailboxBuffer,
  VcpuMailbox,
} from './mailbox.ts';

const LIMIT_MS = 60_000;
/** Longer than a vCPU's thread spins for its answer. */
const SLOW_ANSWER_MS = 0.3;

/** A host that serves by the mailbox's own rules, and checks every access against what the vCPUs will send. */
class Host {
  readonly mailbox: HostMailbox;
  readonly written: number[];
  served = 0;
  sleeps = 0;
  #done = false;
  readonly #answer: (served: number) => number | undefined;

  /** `answer` may take its time, and gives the value or undefined for the right one. */
  constructor(buffer: SharedArrayBuffer, vcpus: number, answer: (served: number) => number | undefined) {
    this.mailbox = new HostMailbox(buffer, vcpus);
    this.written = new Array<number>(vcpus).fill(0);
    this.#answer = answer;
  }

  /** Sleeps whenever there is nothing to do, at once: the other side does the spinning. */
  async run(): Promise<void> {
    const { mailbox } = this;
    while (!this.#done) {
      const rings = mailbox.rings;
      mailbox.asleep = true;
      const served = mailbox.serve((access) => this.#serve(access));
      if (served === 0 && !this.#done) {
        this.sleeps++;
        await mailbox.wait(rings);
      }
      mailbox.asleep = false;
    }
  }

  stop(): void {
    this.#done = true;
    this.mailbox.ring();
  }

  #serve(access: DeviceAccess): number {
    const answer = this.#answer(++this.served) ?? deviceAnswer(access);
    return access.isWrite ? 0 : answer | 0; // signed, as a device's arithmetic may leave it
  }
}

function busyFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('mailbox', () => {
  for (const [name, vcpus, count, pauseEvery, slowEvery] of [
    ['four threads at once, as fast as they can', 4, 10_000, 0, 0],
    ['threads that pause, so that the host sleeps', 2, 4_000, 3, 0],
    ['a host that is slow now and then, so that the threads sleep', 3, 5_000, 0, 50],
    ['both sides sleep and spin in turns', 3, 4_000, 7, 31],
  ] as const) {
    test(`${name}: every access is answered, and rightly`, async () => {
      const buffer = mailboxBuffer(vcpus);
      const host = new Host(buffer, vcpus, (served) => {
        if (slowEvery > 0 && served % slowEvery === 0) busyFor(SLOW_ANSWER_MS);
        return undefined;
      });
      const running = host.run();
      const ids = Array.from({ length: vcpus }, (_, id) => id);
      const threads = ids.map((id) => startVcpu({ buffer, id, count, pauseEvery }));
      const results = await withinMs(LIMIT_MS, Promise.all(threads));
      host.stop();
      await running;
      assert.deepEqual(
        results.map(({ wrong, made }) => ({ wrong, made })),
        ids.map(() => ({ wrong: undefined, made: count })),
      );
      assert.equal(host.served, vcpus * count);
      if (pauseEvery > 0)
        assert.ok(host.sleeps > count / pauseEvery / 4, `the host slept ${host.sleeps} times`);
    });
  }

  test('writes arrive as they were sent: direction, space, address, size and value', async () => {
    const buffer = mailboxBuffer(2);
    const seen: DeviceAccess[] = [];
    const mailbox = new HostMailbox(buffer, 2);
    const count = 3000;
    const thread = startVcpu({ buffer, id: 1, count, pauseEvery: 0 });
    while (seen.length < count) {
      mailbox.serve((access) => {
        seen.push({ ...access });
        return deviceAnswer(access);
      });
      if (seen.length % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const { written, wrong } = await withinMs(LIMIT_MS, thread);
    assert.equal(wrong, undefined);
    let sum = 0;
    for (const [index, access] of seen.entries()) {
      const sent = deviceAccess(1, index);
      assert.deepEqual(access, { ...sent, value: sent.isWrite ? sent.value : 0 });
      sum = checksum(sum, access);
    }
    assert.equal(sum, written);
  });

  test('a doorbell that rings between the last look and the sleep ends the sleep at once', async () => {
    const buffer = mailboxBuffer(1);
    const host = new HostMailbox(buffer, 1);
    const vcpu = new VcpuMailbox(buffer, 0);
    const rings = host.rings;
    host.asleep = true;
    vcpu.ringHost();
    assert.equal(await withinMs(LIMIT_MS, host.wait(rings)), false);
  });

  test('only a host that sleeps is rung for', async () => {
    const buffer = mailboxBuffer(1);
    const host = new HostMailbox(buffer, 1);
    const vcpu = new VcpuMailbox(buffer, 0);
    const rings = host.rings;
    vcpu.ringHost();
    assert.equal(host.rings, rings);
    host.asleep = true;
    const waiting = host.wait(rings);
    vcpu.ringHost();
    assert.equal(await withinMs(LIMIT_MS, waiting), true);
    assert.equal(host.rings, rings + 1);
  });

  test('commands reach the vCPU they are for', () => {
    const buffer = mailboxBuffer(3);
    const host = new HostMailbox(buffer, 3);
    const vcpus = [0, 1, 2].map((id) => new VcpuMailbox(buffer, id));
    const commands = () => vcpus.map((vcpu) => vcpu.command);
    assert.deepEqual(commands(), [COMMAND_RUN, COMMAND_RUN, COMMAND_RUN]);
    host.command(1, COMMAND_STOP);
    assert.deepEqual(commands(), [COMMAND_RUN, COMMAND_STOP, COMMAND_RUN]);
  });

  test('an access whose serving fails stays posted, for somebody else to answer', async () => {
    const buffer = mailboxBuffer(1);
    const host = new HostMailbox(buffer, 1);
    const thread = startVcpu({ buffer, id: 0, count: 1, pauseEvery: 0 });
    const fail = () => {
      throw new Error('a device model failed');
    };
    const serve = (how: (access: DeviceAccess) => number) => {
      for (;;) if (host.serve(how) > 0) return;
    };
    assert.throws(() => serve(fail), /device model failed/);
    assert.throws(() => serve(fail), /device model failed/);
    serve(deviceAnswer);
    assert.equal((await withinMs(LIMIT_MS, thread)).wrong, undefined);
  });
});
