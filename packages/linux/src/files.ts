/**
 * Reading and writing where node:fs does not do: libuv repeats a read that a signal interrupted, and reports "would
 * block" as an exception. Opening and everything else is node:fs's work (`HostError.from` turns its errors).
 */
import { check, HostError } from './host-error.ts';
import { errno, lazily, type Pointer } from './libc.ts';

const readCall = lazily<(fd: number, bytes: Pointer, length: number) => number>(
  'intptr_t read(int, void *, size_t)',
);
const writeCall = lazily<(fd: number, bytes: Pointer, length: number) => number>(
  'intptr_t write(int, const void *, size_t)',
);
const fcntlCall = lazily<(fd: number, command: number, argument: number) => number>(
  'int fcntl(int, int, intptr_t)',
);

const closeCall = lazily<(fd: number) => number>('int close(int)');

const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;

/** One read(2): the number of bytes, 0 at the end, or -errno (EINTR and EAGAIN among them). */
export function tryRead(fd: number, bytes: NodeJS.ArrayBufferView): number {
  const result = readCall(fd, bytes, bytes.byteLength);
  return result === -1 ? -errno() : result;
}

/** One write(2): the number of bytes, which may be fewer than given, or -errno (EINTR and EAGAIN among them). */
export function tryWrite(fd: number, bytes: NodeJS.ArrayBufferView): number {
  const result = writeCall(fd, bytes, bytes.byteLength);
  return result === -1 ? -errno() : result;
}

/**
 * Closes a file. Never repeated: Linux has given the descriptor up even when close(2) reports EINTR or EIO. Throws
 * EBADF only, which is a bug of the caller's.
 */
export function closeFd(fd: number): void {
  const EBADF = 9;
  if (closeCall(fd) === -1 && errno() === EBADF)
    throw new HostError('close', EBADF, { subject: `file ${fd}` });
}

/** Sets O_NONBLOCK on the open file, for every process that shares it. */
export function setNonBlocking(fd: number, nonBlocking: boolean): void {
  const flags = check(fcntlCall(fd, F_GETFL, 0), 'fcntl', { subject: 'F_GETFL' });
  const wanted = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (wanted !== flags) check(fcntlCall(fd, F_SETFL, wanted), 'fcntl', { subject: 'F_SETFL' });
}
