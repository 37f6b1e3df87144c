/** eventfd(2): a counter in the kernel that wakes whoever waits for it; KVM's irqfd and ioeventfd are such. */
import { closeFd } from './files.ts';
import { check, HostError } from './host-error.ts';
import { errno, lazily, type Pointer } from './libc.ts';

const EFD_SEMAPHORE = 0x1;
const EFD_NONBLOCK = 0x800;
const EFD_CLOEXEC = 0x80000;

const EINTR = 4;
const EAGAIN = 11;

const eventfdCall = lazily<(initial: number, flags: number) => number>('int eventfd(unsigned int, int)');
const eventfdWrite = lazily<(fd: number, value: number) => number>('int eventfd_write(int, uint64_t)');
const eventfdRead = lazily<(fd: number, value: Pointer) => number>('int eventfd_read(int, void *)');

const counter = new BigUint64Array(1);

export interface EventFdOptions {
  /** `drain` waits until the counter is not 0. Default: it returns 0 at once. */
  blocking?: boolean;
  /** `drain` takes 1 at a time instead of everything. */
  semaphore?: boolean;
  initial?: number;
}

export class EventFd implements Disposable {
  readonly fd: number;

  constructor(options: EventFdOptions = {}) {
    const { blocking = false, semaphore = false, initial = 0 } = options;
    const flags = EFD_CLOEXEC | (blocking ? 0 : EFD_NONBLOCK) | (semaphore ? EFD_SEMAPHORE : 0);
    this.fd = check(eventfdCall(initial, flags), 'eventfd');
  }

  /**
   * Adds to the counter. Repeated when a signal interrupts it; a counter that is full (2^64 - 2) stays as it is,
   * since whoever waits is woken anyway.
   */
  signal(count = 1): void {
    while (eventfdWrite(this.fd, count) === -1) {
      const error = errno();
      if (error === EAGAIN) return;
      if (error !== EINTR) throw new HostError('write', error, { subject: 'eventfd' });
    }
  }

  /**
   * Takes the counter, or 1 of it with `semaphore`. Returns 0 when there was nothing to take, or when a signal
   * interrupted a blocking wait.
   */
  drain(): number {
    if (eventfdRead(this.fd, counter) === 0) return Number(counter[0]);
    const error = errno();
    if (error === EAGAIN || error === EINTR) return 0;
    throw new HostError('read', error, { subject: 'eventfd' });
  }

  close(): void {
    closeFd(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
