/** epoll(7): one wait for many files, for I/O threads that do not run Node's event loop. */
import { closeFd } from './files.ts';
import { check, HostError } from './host-error.ts';
import { errno, lazily, type Pointer } from './libc.ts';

/** include/uapi/linux/eventpoll.h */
export const EPOLLIN = 0x1;
export const EPOLLPRI = 0x2;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
export const EPOLLEXCLUSIVE = 0x1000_0000;
export const EPOLLONESHOT = 0x4000_0000;
export const EPOLLET = 0x8000_0000;

const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

/** struct epoll_event is packed on x86-64: u32 events, u64 data. */
const EVENT_BYTES = 12;
const EINTR = 4;

const epollCreateCall = lazily<(flags: number) => number>('int epoll_create1(int)');
const epollCtlCall = lazily<(epfd: number, op: number, fd: number, event: Pointer) => number>(
  'int epoll_ctl(int, int, int, void *)',
);
const epollWaitCall = lazily<(epfd: number, events: Pointer, max: number, timeoutMs: number) => number>(
  'int epoll_wait(int, void *, int, int)',
);

/** One file that is ready. */
export interface EpollEvent {
  /** What `add` was given for the file. */
  token: number;
  /** EPOLLIN and so on; EPOLLERR and EPOLLHUP are reported unasked. */
  events: number;
}

export class Epoll implements Disposable {
  readonly fd: number;
  readonly #events: DataView;

  constructor(maxEvents = 64) {
    this.fd = check(epollCreateCall(EPOLL_CLOEXEC), 'epoll_create1');
    this.#events = new DataView(new ArrayBuffer(maxEvents * EVENT_BYTES));
  }

  /** Waits for `events` of a file from now on. The token, 32 bits, comes back with them; it is the fd unless given. */
  add(fd: number, events: number, token = fd): void {
    this.#control(EPOLL_CTL_ADD, fd, events, token);
  }

  modify(fd: number, events: number, token = fd): void {
    this.#control(EPOLL_CTL_MOD, fd, events, token);
  }

  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0, 0);
  }

  /**
   * Waits for at most `timeoutMs`; -1 is for ever, 0 not at all. Returns no events at the end of that time, and also
   * when a signal interrupts the wait, which is how another thread ends it.
   */
  wait(timeoutMs: number): EpollEvent[] {
    const view = this.#events;
    const count = epollWaitCall(this.fd, view, view.byteLength / EVENT_BYTES, timeoutMs);
    if (count === -1) {
      const error = errno();
      if (error === EINTR) return [];
      throw new HostError('epoll_wait', error);
    }
    return Array.from({ length: count }, (_, index) => ({
      events: view.getUint32(index * EVENT_BYTES, true),
      token: view.getUint32(index * EVENT_BYTES + 4, true),
    }));
  }

  #control(operation: number, fd: number, events: number, token: number): void {
    const event = new DataView(new ArrayBuffer(EVENT_BYTES));
    event.setUint32(0, events, true);
    event.setUint32(4, token, true);
    check(epollCtlCall(this.fd, operation, fd, event), 'epoll_ctl', { subject: `of file ${fd}` });
  }

  close(): void {
    closeFd(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
