import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import {
  EventFd,
  ioctl,
  ioctlPointer,
  ioctlValue,
  Mapping,
  tryIoctlPointer,
  tryIoctlValue,
} from './index.ts';
import { Pty } from './test-support.ts';

const FIONREAD = 0x541b;
const FIOCLEX = 0x5451;
const TIOCSWINSZ = 0x5414;
const TIOCGWINSZ = 0x5413;

test('an ioctl with a value returns the result, or -errno', () => {
  const fd = openSync('/dev/null', 'r');
  assert.equal(tryIoctlValue(fd, FIOCLEX, 0), 0);
  assert.equal(ioctlValue(fd, FIOCLEX, 0), 0);
  assert.equal(tryIoctlValue(fd, FIONREAD, 0), -25);
  assert.throws(() => ioctlValue(fd, 0xae80, 0, 'KVM_RUN'), {
    name: 'HostError',
    message: 'ioctl KVM_RUN: inappropriate ioctl for device (ENOTTY)',
  });
  assert.throws(() => ioctlValue(fd, 0x8138ae83, 0), /^HostError: ioctl 0x8138ae83: /);
  closeSync(fd);
});

test('an ioctl with a structure reads and writes it, wherever it lies', () => {
  using pty = new Pty();
  using mapping = Mapping.map({ lengthBytes: 4096 });
  ioctlPointer(pty.terminal, TIOCSWINSZ, Uint16Array.of(50, 132, 0, 0));
  const small = new Uint16Array(4);
  const offset = new Uint16Array(new ArrayBuffer(64), 8, 4);
  const shared = new Uint16Array(new SharedArrayBuffer(8));
  const mapped = new Uint16Array(mapping.buffer, 0, 4);
  for (const size of [small, offset, shared, mapped]) {
    assert.equal(tryIoctlPointer(pty.terminal, TIOCGWINSZ, size), 0);
    assert.deepEqual([...size], [50, 132, 0, 0]);
  }
  mapped.fill(0);
  ioctl(pty.terminal, TIOCGWINSZ, mapping.hva);
  assert.equal(mapped[1], 132);
  ioctl(pty.terminal, TIOCGWINSZ, BigInt(mapping.hva));
  assert.equal(tryIoctlPointer(pty.terminal, TIOCGWINSZ, 1), -14);
});

test('a wrong file is EBADF or ENOTTY, not a crash', () => {
  using event = new EventFd();
  assert.equal(tryIoctlValue(-1, FIOCLEX, 0), -9);
  assert.equal(tryIoctlPointer(event.fd, TIOCGWINSZ, new Uint16Array(4)), -25);
});
