import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Guest, Monitor } from '../boot/monitors.ts';
import { GuestSession } from './guest-session.ts';

/** What a guest's first process says, spoken by a script that does what the program's name tells. */
const SCRIPT = `
  const say = (line) => process.stdout.write(line + '\\r\\n');
  say('ready');
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    say(line); // the echo
    const [command, number, name, iterations, threads] = line.split(' ');
    if (command === 'off') process.exit(0);
    if (name === 'dies') process.exit(7);
    say('begin ' + number);
    if (name === 'hangs') return;
    if (name === 'fails') return say('failed: fork'), say('done ' + number + ' 1');
    say(name + ' begins');
    const nanoseconds = name === 'slow-clock' ? 9e9 : 1000 * Number(threads);
    say(name + ' ' + iterations + ' ' + nanoseconds + ' 0123456789abcdef');
    say('done ' + number + ' 0');
  });
`;
const FAKE: Monitor = {
  name: 'fake',
  command: ({ kernel }) => ({ words: [process.execPath, '-e', kernel] }),
};
const GUEST: Guest = { kernel: SCRIPT, append: '', memoryMib: 1, cpus: 1 };
const LIMITS = { bootMs: 20_000, runMs: 20_000, powerOffMs: 20_000 };

const start = (limits = LIMITS, guest = GUEST) => GuestSession.start(FAKE, guest, limits);

test('programs run one after another in one guest, each with its own result', async () => {
  const session = await start();
  for (const [name, iterations, threads] of [
    ['a', 5, 1],
    ['b', 6, 2],
    ['a', 7, 3],
  ] as const) {
    const result = await session.run(name, iterations, threads);
    assert.deepEqual(result, { iterations, nanoseconds: 1000 * threads, checksum: '0123456789abcdef' });
  }
  await session.close();
  assert.equal(session.isOver, true);
});

test('a program that fails leaves the guest to the next one', async () => {
  const session = await start();
  await assert.rejects(session.run('fails', 1, 1), { code: 'bench-wrong-result', message: /failed: fork/ });
  await assert.rejects(session.run('slow-clock', 1, 1), { code: 'bench-wrong-result', message: /9000 ms/ });
  assert.equal((await session.run('a', 2, 1)).iterations, 2);
  await session.close();
});

test('a guest that ends under a program is over', async () => {
  const session = await start();
  await assert.rejects(session.run('dies', 1, 1), { code: 'bench-vm-failed', message: /status 7/ });
  assert.equal(session.isOver, true);
  await session.close();
});

test('a program that does not end within its time takes the guest with it', async () => {
  const session = await start({ ...LIMITS, runMs: 300 });
  await assert.rejects(session.run('hangs', 1, 1), { code: 'bench-vm-failed', message: /within 300 ms/ });
  assert.equal(session.isOver, true);
  await session.close();
});

test('a guest that never is ready is told of with what it said', async () => {
  const guest = { ...GUEST, kernel: "console.log('Kernel panic')" };
  await assert.rejects(start(LIMITS, guest), { code: 'bench-vm-failed', fix: /Kernel panic/ });
});
