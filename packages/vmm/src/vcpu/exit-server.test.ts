import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deviceAnswer } from '../testing/device-accesses.ts';
import { startVcpu, withinMs } from '../testing/run-vcpus.ts';
import { ExitServer, type ExitServerOptions } from './exit-server.ts';
import { HostMailbox, mailboxBuffer, VcpuMailbox } from './mailbox.ts';

const LIMIT_MS = 60_000;

/** In the mailbox's shared memory, where a test posts an access without waiting for its answer. */
const FIRST_BOX_STATE = 16;
const POSTED = 1;

function makeServer(vcpus: number, options: Partial<ExitServerOptions> = {}) {
  const buffer = mailboxBuffer(vcpus);
  const errors: unknown[] = [];
  const server = new ExitServer({
    mailbox: new HostMailbox(buffer, vcpus),
    serve: deviceAnswer,
    collect: () => {},
    onError: (error) => errors.push(error),
    ...options,
  });
  return { buffer, server, errors, running: server.run() };
}

/** Threads that access devices without a pause until told otherwise. */
function startBurst(buffer: SharedArrayBuffer, vcpus: number) {
  const stop = new SharedArrayBuffer(4);
  const ids = Array.from({ length: vcpus }, (_, id) => id);
  const threads = ids.map((id) => startVcpu({ buffer, id, count: Infinity, pauseEvery: 0, stop }));
  const end = async () => {
    Atomics.store(new Int32Array(stop), 0, 1);
    return await withinMs(LIMIT_MS, Promise.all(threads));
  };
  return { end };
}

describe('exit server', () => {
  test('serves bursts and single accesses of several vCPUs', async () => {
    const { buffer, server, errors, running } = makeServer(3);
    const threads = [0, 5, 1].map((pauseEvery, id) => startVcpu({ buffer, id, count: 3000, pauseEvery }));
    const results = await withinMs(LIMIT_MS, Promise.all(threads));
    server.stop();
    await withinMs(LIMIT_MS, running);
    assert.deepEqual(
      results.map(({ wrong }) => wrong),
      [undefined, undefined, undefined],
    );
    assert.deepEqual(errors, []);
  });

  test('a burst without end keeps neither timers nor the collecting of output waiting', async () => {
    let collected = 0;
    let served = 0;
    const { buffer, server, running } = makeServer(1, {
      collect: () => collected++,
      serve: (access) => {
        served++;
        return deviceAnswer(access);
      },
    });
    const burst = startBurst(buffer, 1);
    while (served === 0) await sleep(1);
    const start = performance.now();
    const [servedBefore, collectedBefore] = [served, collected];
    let ticks = 0;
    while (performance.now() - start < 300) {
      await sleep(1);
      ticks++;
    }
    // On a busy machine a turn may take many times the 2 ms that it is due after; seconds would be starvation.
    assert.ok(ticks >= 10, `${ticks} ticks`);
    assert.ok(collected - collectedBefore >= 10, `collected ${collected - collectedBefore} times`);
    assert.ok(served - servedBefore > 100, `${served - servedBefore} accesses served`);
    await burst.end();
    server.stop();
    await withinMs(LIMIT_MS, running);
  });

  for (const accesses of [false, true]) {
    const what = accesses ? 'accesses a device and rings' : 'rings';
    test(`a guest that ${what} each time the server is about to sleep cannot starve the event loop`, async () => {
      let annoy = () => {};
      let served = 0;
      let annoyances = 0;
      const { buffer, server, running } = makeServer(1, { collect: () => annoy(), serve: () => ++served });
      const vcpu = new VcpuMailbox(buffer, 0);
      const words = new Int32Array(buffer);
      annoy = () => {
        if (accesses) Atomics.store(words, FIRST_BOX_STATE, POSTED);
        vcpu.ringHost();
        annoyances++;
      };
      new HostMailbox(buffer, 1).ring();
      for (let tick = 0; tick < 10; tick++) await withinMs(LIMIT_MS, sleep(1));
      assert.ok(annoyances > 10);
      assert.equal(served > 10, accesses);
      server.stop();
      await withinMs(LIMIT_MS, running);
    });
  }

  test('what a vCPU thread produced by itself is collected once it rings', async () => {
    let collected = 0;
    const { buffer, server, running } = makeServer(1, { collect: () => collected++ });
    await sleep(20);
    const before = collected;
    new VcpuMailbox(buffer, 0).ringHost();
    await sleep(20);
    assert.ok(collected > before);
    server.stop();
    await withinMs(LIMIT_MS, running);
  });

  test('a server that sleeps does nothing', async () => {
    let collected = 0;
    const { server, running } = makeServer(1, { collect: () => collected++ });
    await sleep(20);
    const before = collected;
    await sleep(50);
    assert.equal(collected, before);
    server.stop();
    await withinMs(LIMIT_MS, running);
  });

  test('stops from its sleep, before it runs, in a burst, and twice', async () => {
    const asleep = makeServer(1);
    await sleep(5);
    asleep.server.stop();
    asleep.server.stop();
    await withinMs(LIMIT_MS, asleep.running);

    const fresh = makeServer(1);
    fresh.server.stop();
    await withinMs(LIMIT_MS, fresh.running);

    let served = 0;
    const busy = makeServer(1, { serve: () => ++served });
    const burst = startBurst(busy.buffer, 1);
    while (served === 0) await sleep(1);
    busy.server.stop();
    await withinMs(LIMIT_MS, busy.running);
    const after = makeSuccessor(busy.buffer); // or the thread would wait for ever
    await burst.end();
    after.stop();
  });

  for (const [where, options] of [
    ['serve', { serve: fail }],
    ['collect', { collect: fail }],
  ] as const) {
    test(`an error in ${where} is reported once, and every access still gets an answer`, async () => {
      const { buffer, server, errors, running } = makeServer(2, options);
      const threads = [0, 1].map((id) => startVcpu({ buffer, id, count: 500, pauseEvery: 3 }));
      const results = await withinMs(LIMIT_MS, Promise.all(threads));
      assert.deepEqual(
        results.map(({ made }) => made),
        [500, 500],
      );
      assert.deepEqual(
        errors.map((error) => (error as Error).message),
        ['a device model failed'],
      );
      server.stop();
      await withinMs(LIMIT_MS, running);
    });
  }
});

function fail(): never {
  throw new Error('a device model failed');
}

function makeSuccessor(buffer: SharedArrayBuffer): ExitServer {
  const server = new ExitServer({
    mailbox: new HostMailbox(buffer, 1),
    serve: deviceAnswer,
    collect: () => {},
    onError: () => {},
  });
  void server.run();
  return server;
}
