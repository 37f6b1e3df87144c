import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { test } from 'node:test';
import {
  ioctlPointer,
  isatty,
  makeRaw,
  RawTerminal,
  tcgetattr,
  tcsetattr,
  tryRead,
  tryWrite,
  windowSize,
} from './index.ts';
import { Pty } from './test-support.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function readText(fd: number): string {
  const buffer = new Uint8Array(256);
  return new TextDecoder().decode(buffer.subarray(0, tryRead(fd, buffer)));
}

test('isatty knows terminals from files', () => {
  using pty = new Pty();
  assert.equal(isatty(pty.terminal), true);
  assert.equal(isatty(openSync('/dev/null', 'r')), false);
  assert.throws(() => tcgetattr(openSync('/dev/null', 'r')), { call: 'tcgetattr', code: 'ENOTTY' });
});

test('a raw terminal passes bytes on at once and unchanged; restored, it is as before', () => {
  using pty = new Pty();
  const before = tcgetattr(pty.terminal);
  {
    using raw = new RawTerminal(pty.terminal);
    tryWrite(pty.controller, bytes('\x03\x1a\r'));
    assert.equal(readText(raw.fd), '\x03\x1a\r');
    tryWrite(pty.terminal, bytes('a\nb'));
    assert.equal(readText(pty.controller), 'a\nb');
    assert.notDeepEqual(tcgetattr(pty.terminal), before);
  }
  assert.deepEqual(tcgetattr(pty.terminal), before);
  tryWrite(pty.controller, bytes('line\r'));
  assert.equal(readText(pty.terminal), 'line\n');
});

test('makeRaw leaves the attributes it was given alone', () => {
  using pty = new Pty();
  const cooked = tcgetattr(pty.terminal);
  const copy = cooked.slice();
  const raw = makeRaw(cooked);
  assert.deepEqual(cooked, copy);
  tcsetattr(pty.terminal, raw, 'drain');
  assert.deepEqual(tcgetattr(pty.terminal), raw);
});

test('restoring a terminal that is gone is not an error', () => {
  const pty = new Pty();
  const raw = new RawTerminal(pty.terminal);
  pty[Symbol.dispose]();
  raw.restore();
  raw.restore();
});

test('the window size is what the terminal says', () => {
  using pty = new Pty();
  assert.deepEqual(windowSize(pty.terminal), { rows: 0, columns: 0 });
  const TIOCSWINSZ = 0x5414;
  ioctlPointer(pty.controller, TIOCSWINSZ, Uint16Array.of(24, 80, 0, 0));
  assert.deepEqual(windowSize(pty.terminal), { rows: 24, columns: 80 });
});

const linux = JSON.stringify(new URL('./index.ts', import.meta.url).href);
const WAYS_OUT = {
  'process.exit': 'process.exit(0)',
  'an exception nobody catches': 'setTimeout(() => { throw new Error("expected by the test") })',
  'nothing left to do': '',
};

for (const [name, leave] of Object.entries(WAYS_OUT)) {
  test(`an exit handler restores the terminal: ${name}`, { timeout: 20_000 }, async () => {
    using pty = new Pty();
    const before = tcgetattr(pty.terminal);
    const program = `
      const { RawTerminal } = await import(${linux});
      const raw = new RawTerminal(0);
      process.on('exit', () => raw.restore());
      process.send('raw', () => { process.disconnect(); ${leave} });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: [pty.terminal, 'ignore', 'ignore', 'ipc'],
    });
    const exited = once(child, 'exit');
    assert.deepEqual(await once(child, 'message'), ['raw', undefined]);
    await exited;
    assert.deepEqual(tcgetattr(pty.terminal), before);
  });
}

test('a process in the background restores the terminal too, and is not stopped', {
  timeout: 20_000,
}, async () => {
  using pty = new Pty();
  const before = tcgetattr(pty.terminal);
  const program = `
    const { RawTerminal } = await import(${linux});
    new RawTerminal(0).restore();`;
  const script = 'set -m; "$0" --input-type=module -e "$1" & wait $!'; // -m: the job gets a group of its own
  const child = spawn('setsid', ['--ctty', '--wait', 'bash', '-c', script, process.execPath, program], {
    stdio: [pty.terminal, 'ignore', 'ignore'],
  });
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  assert.deepEqual(tcgetattr(pty.terminal), before);
});
