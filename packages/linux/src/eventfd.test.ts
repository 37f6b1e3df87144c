import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  Epoll,
  EventFd,
  errno,
  setNonBlocking,
  tryRead,
  tryWrite,
} from './index.ts';
import { Pty } from './test-support.ts';

test('eventfd: signals add up, drain takes all of them and does not wait', () => {
  using event = new EventFd();
  assert.equal(event.drain(), 0);
  event.signal();
  event.signal(4);
  assert.equal(event.drain(), 5);
  assert.equal(event.drain(), 0);
});

test('eventfd: a semaphore is drained one at a time', () => {
  using event = new EventFd({ semaphore: true, initial: 2 });
  assert.deepEqual([event.drain(), event.drain(), event.drain()], [1, 1, 0]);
});

test('eventfd: a full counter swallows signals instead of blocking', () => {
  using event = new EventFd();
  const most = new BigUint64Array([0xffff_ffff_ffff_fffen]);
  assert.equal(tryWrite(event.fd, most), 8);
  event.signal();
  assert.equal(event.drain(), Number(0xffff_ffff_ffff_fffen));
});

test('epoll: reports what is ready, with its token, and nothing else', () => {
  using epoll = new Epoll();
  using first = new EventFd();
  using second = new EventFd();
  epoll.add(first.fd, EPOLLIN, 0xffff_ffff);
  epoll.add(second.fd, EPOLLIN);
  assert.deepEqual(epoll.wait(0), []);
  first.signal();
  assert.deepEqual(epoll.wait(1000), [{ token: 0xffff_ffff, events: EPOLLIN }]);
  second.signal();
  assert.equal(epoll.wait(1000).length, 2);
  epoll.remove(second.fd);
  epoll.modify(first.fd, EPOLLIN | EPOLLOUT, 1);
  assert.deepEqual(epoll.wait(0), [{ token: 1, events: EPOLLIN | EPOLLOUT }]);
});

test('epoll: edge-triggered events are reported once', () => {
  using epoll = new Epoll();
  using event = new EventFd();
  epoll.add(event.fd, EPOLLIN | EPOLLET);
  event.signal();
  assert.deepEqual([epoll.wait(0).length, epoll.wait(0).length], [1, 0]);
});

test('epoll: the wait is bounded, and a terminal that hangs up is reported unasked', () => {
  using epoll = new Epoll(1);
  const started = performance.now();
  assert.deepEqual(epoll.wait(20), []);
  assert.ok(performance.now() - started >= 19);
  using pty = new Pty();
  epoll.add(pty.controller, EPOLLIN);
  assert.deepEqual(epoll.wait(0), []);
  tryWrite(pty.terminal, new TextEncoder().encode('x'));
  assert.equal(epoll.wait(1000)[0]?.events, EPOLLIN);
  assert.equal(EPOLLHUP, 0x10);
});

test('epoll: a file that is not there is a HostError that says which', () => {
  using epoll = new Epoll();
  assert.throws(
    () => epoll.add(1_000_000, EPOLLIN),
    /epoll_ctl of file 1000000: bad file descriptor \(EBADF\)/,
  );
  assert.equal(errno(), 9);
});

test('a file that does not block answers EAGAIN', () => {
  using event = new EventFd({ blocking: true });
  setNonBlocking(event.fd, true);
  assert.equal(tryRead(event.fd, new Uint8Array(8)), -11);
  setNonBlocking(event.fd, false);
  event.signal();
  assert.equal(tryRead(event.fd, new Uint8Array(8)), 8);
});
