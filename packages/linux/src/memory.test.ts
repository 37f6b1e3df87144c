import assert from 'node:assert/strict';
import { closeSync, fstatSync, readFileSync, readSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import {
  addressOf,
  addSeals,
  ftruncate,
  getSeals,
  HostError,
  Mapping,
  madvise,
  memfdCreate,
  mincore,
  mmap,
  mprotect,
  pageSizeBytes,
  preallocate,
  punchHole,
  viewMemory,
} from './index.ts';

/** Node has it, the type libraries that the project uses do not. */
declare const WebAssembly: {
  Memory: new (options: { initial: number; maximum: number; shared: true }) => { buffer: SharedArrayBuffer };
};

const GIB = 2 ** 30;
const PAGE = pageSizeBytes();

function memoryFile(lengthBytes: number): Disposable & { fd: number } {
  const fd = memfdCreate('vireo-test');
  ftruncate(fd, lengthBytes);
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

function readByte(fd: number, offsetBytes: number): number {
  const byte = new Uint8Array(1);
  assert.equal(readSync(fd, byte, 0, 1, offsetBytes), 1);
  return byte[0]!;
}

test('a shared mapping of a memory file reaches beyond 4 GiB, both ways', () => {
  using file = memoryFile(6 * GIB);
  assert.equal(fstatSync(file.fd).size, 6 * GIB);
  using mapping = Mapping.map({ fd: file.fd, lengthBytes: 6 * GIB, noReserve: true });
  const bytes = new Uint8Array(mapping.buffer);
  bytes[5 * GIB + 3] = 42;
  assert.equal(readByte(file.fd, 5 * GIB + 3), 42);
  writeSync(file.fd, Uint8Array.of(7), 0, 1, 6 * GIB - 1);
  assert.equal(bytes[6 * GIB - 1], 7);
});

test('a mapping starts where offsetBytes says, also beyond 4 GiB', () => {
  using file = memoryFile(5 * GIB);
  writeSync(file.fd, Uint8Array.of(99), 0, 1, 4 * GIB + PAGE);
  using mapping = Mapping.map({ fd: file.fd, lengthBytes: PAGE, offsetBytes: 4 * GIB + PAGE });
  assert.equal(new Uint8Array(mapping.buffer)[0], 99);
});

test('unmapping detaches the buffer and its views, and may be repeated', () => {
  const mapping = Mapping.map({ lengthBytes: PAGE });
  const { hva, buffer } = mapping;
  const bytes = new Uint8Array(buffer);
  bytes[0] = 1;
  mapping.unmap();
  mapping.unmap();
  assert.equal(buffer.detached, true);
  assert.equal(bytes.length, 0);
  assert.equal(bytes[0], undefined);
  assert.throws(() => mapping.buffer, /unmapped/);
  assert.throws(() => mincore(hva, PAGE), { code: 'ENOMEM' });
});

test('fixedAtHva replaces part of another mapping', () => {
  using file = memoryFile(PAGE);
  writeSync(file.fd, Uint8Array.of(5), 0, 1, 0);
  using reservation = Mapping.map({ lengthBytes: 3 * PAGE });
  const bytes = new Uint8Array(reservation.buffer).fill(1);
  const hva = mmap({ fd: file.fd, lengthBytes: PAGE, fixedAtHva: reservation.hva + PAGE });
  assert.equal(hva, reservation.hva + PAGE);
  assert.deepEqual([bytes[0], bytes[PAGE], bytes[PAGE + 1], bytes[2 * PAGE]], [1, 5, 0, 1]);
  bytes[PAGE] = 6;
  assert.equal(readByte(file.fd, 0), 6);
});

test('a memory file can be mapped over a shared WebAssembly.Memory', () => {
  using file = memoryFile(GIB);
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 32_768, shared: true });
  const bytes = new Uint8Array(memory.buffer);
  const hva = addressOf(bytes) + 512 * 1024;
  mmap({ fd: file.fd, lengthBytes: 512 * 1024, fixedAtHva: hva });
  bytes[512 * 1024 + 9] = 77;
  assert.equal(readByte(file.fd, 9), 77);
  Atomics.store(bytes, 512 * 1024 + 10, 78);
  assert.equal(new Uint8Array(viewMemory(hva, PAGE))[10], 78);
});

test('protection: a page without access makes read(2) fail with EFAULT', () => {
  using file = memoryFile(PAGE);
  using mapping = Mapping.map({ lengthBytes: PAGE });
  const bytes = new Uint8Array(mapping.buffer);
  mprotect(mapping.hva, PAGE, 'none');
  assert.throws(() => readSync(file.fd, bytes, 0, 1, 0), { code: 'EFAULT' });
  mprotect(mapping.hva, PAGE, 'read-write');
  assert.equal(readSync(file.fd, bytes, 0, 1, 0), 1);
});

test('populate and populate-write fault pages in; dont-need drops private ones', () => {
  using populated = Mapping.map({ lengthBytes: 4 * PAGE, populate: true });
  assert.deepEqual(
    [...mincore(populated.hva, 4 * PAGE)].map((page) => page & 1),
    [1, 1, 1, 1],
  );
  using lazy = Mapping.map({ lengthBytes: 4 * PAGE });
  assert.deepEqual(
    [...mincore(lazy.hva, 4 * PAGE)].map((page) => page & 1),
    [0, 0, 0, 0],
  );
  madvise(lazy.hva + PAGE, PAGE, 'populate-write');
  assert.deepEqual(
    [...mincore(lazy.hva, 4 * PAGE)].map((page) => page & 1),
    [0, 1, 0, 0],
  );
  const bytes = new Uint8Array(lazy.buffer);
  bytes[PAGE] = 3;
  madvise(lazy.hva + PAGE, PAGE, 'dont-need');
  assert.equal(bytes[PAGE], 0);
});

test('remove and punchHole give memory of a file back, and it reads as zeroes', () => {
  using file = memoryFile(8 * PAGE);
  using mapping = Mapping.map({ fd: file.fd, lengthBytes: 8 * PAGE });
  const bytes = new Uint8Array(mapping.buffer).fill(1);
  assert.equal(fstatSync(file.fd).blocks * 512, 8 * PAGE);
  madvise(mapping.hva, PAGE, 'remove');
  punchHole(file.fd, 2 * PAGE, 2 * PAGE);
  assert.equal(fstatSync(file.fd).blocks * 512, 5 * PAGE);
  assert.deepEqual([bytes[0], bytes[PAGE], bytes[2 * PAGE], bytes[4 * PAGE]], [0, 1, 0, 1]);
  preallocate(file.fd, 0, 8 * PAGE);
  assert.equal(fstatSync(file.fd).blocks * 512, 8 * PAGE);
});

test('advice shows in /proc/self/smaps', () => {
  using mapping = Mapping.map({ lengthBytes: 4 * PAGE });
  const hasFlag = (flag: string): boolean => {
    const start = mapping.hva.toString(16).padStart(8, '0');
    const entry = readFileSync('/proc/self/smaps', 'utf8').split(new RegExp(`^${start}-`, 'm'))[1] ?? '';
    return new RegExp(` ${flag} `).test(/^VmFlags:.*$/m.exec(entry)?.[0] ?? '');
  };
  assert.deepEqual([hasFlag('dd'), hasFlag('dc')], [false, false]);
  madvise(mapping.hva, 4 * PAGE, 'dont-dump');
  madvise(mapping.hva, 4 * PAGE, 'dont-fork');
  assert.deepEqual([hasFlag('dd'), hasFlag('dc')], [true, true]);
  madvise(mapping.hva, 4 * PAGE, 'will-need');
});

test('seals hold, and are listed', () => {
  const fd = memfdCreate('vireo-test', { allowSealing: true });
  ftruncate(fd, PAGE);
  addSeals(fd, ['shrink', 'grow']);
  assert.deepEqual(getSeals(fd), ['shrink', 'grow']);
  assert.throws(() => ftruncate(fd, 0), { name: 'HostError', code: 'EPERM' });
  closeSync(fd);
});

test('memfd names show in /proc/self/maps, and memory files close on exec', () => {
  using file = memoryFile(PAGE);
  using mapping = Mapping.map({ fd: file.fd, lengthBytes: PAGE });
  const line = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .find((text) => text.startsWith(mapping.hva.toString(16)));
  assert.match(line ?? '', /rw-s .*\/memfd:vireo-test/);
  assert.match(readFileSync(`/proc/self/fdinfo/${file.fd}`, 'utf8'), /^flags:\s+0?2\d{6}$/m); // O_CLOEXEC
});

test('huge pages that the host does not have are a HostError, not a crash', () => {
  try {
    using mapping = Mapping.map({ lengthBytes: GIB, hugePages: '1G' });
    assert.ok(mapping.hva > 0);
  } catch (error) {
    assert.ok(error instanceof HostError);
    assert.match(error.code, /^(ENOMEM|EINVAL|ENODEV|EPERM)$/);
  }
});
