/**
 * How a vCPU's thread hands an access over to the VM's main thread, where devices live, and waits for the answer.
 *
 * A sleep and a wake across threads cost 50 µs and more, a hand-over between spinning threads 2 to 3 µs; accesses come
 * in bursts. So both sides spin for a while before they sleep. The main thread must keep its event loop going, hence
 * it sleeps in Atomics.waitAsync; a vCPU's thread has nothing else to do.
 *
 * Every sleep is preceded by a store of "I sleep" and a second look; every post is followed by a look at that store.
 * Atomics are sequentially consistent, so one of the two sees the other and no wake is lost.
 */

/** Words of the block that all threads share. */
const HOST = { asleep: 0, doorbell: 1, words: 16 } as const;

/** Words of each vCPU's box, after the shared block. A cache line of its own. */
const BOX = {
  state: 0,
  isWrite: 1,
  isMmio: 2,
  sizeBytes: 3,
  addressLow: 4,
  addressHigh: 5,
  value: 6,
  asleep: 7,
  command: 8,
  words: 16,
} as const;

const STATE_EMPTY = 0;
const STATE_POSTED = 1;
const STATE_ANSWERED = 2;

/** What the main thread wants of a vCPU's thread; looked at after every kick. */
export const COMMAND_RUN = 0;
export const COMMAND_STOP = 1;
export type Command = typeof COMMAND_RUN | typeof COMMAND_STOP;

/** Rounds of looking before a vCPU's thread sleeps: about 50 µs on today's machines. */
const VCPU_SPIN_ROUNDS = 2000;

const WORD_BYTES = 4;

/** One access to a device, of at most 4 bytes. */
export interface DeviceAccess {
  isWrite: boolean;
  isMmio: boolean;
  address: number;
  sizeBytes: number;
  value: number;
}

export function mailboxBuffer(vcpus: number): SharedArrayBuffer {
  return new SharedArrayBuffer((HOST.words + vcpus * BOX.words) * WORD_BYTES);
}

/** A vCPU's end. */
export class VcpuMailbox {
  readonly #words: Int32Array;
  readonly #box: number;
  readonly #spinRounds: number;

  /** `spins`: whether the main thread runs while this one looks for its answer; not on a host with one processor. */
  constructor(buffer: SharedArrayBuffer, vcpuId: number, { spins = true } = {}) {
    this.#words = new Int32Array(buffer);
    this.#box = boxOf(vcpuId);
    this.#spinRounds = spins ? VCPU_SPIN_ROUNDS : 0;
  }

  /** Wakes the main thread if it sleeps, so that it looks at everything it serves. */
  ringHost(): void {
    const words = this.#words;
    if (Atomics.load(words, HOST.asleep) === 0) return;
    Atomics.add(words, HOST.doorbell, 1);
    Atomics.notify(words, HOST.doorbell);
  }

  /** Hands an access over and waits. @returns what was read, unsigned. */
  access(isWrite: boolean, isMmio: boolean, address: number, sizeBytes: number, value: number): number {
    const words = this.#words;
    const box = this.#box;
    words[box + BOX.isWrite] = isWrite ? 1 : 0;
    words[box + BOX.isMmio] = isMmio ? 1 : 0;
    words[box + BOX.sizeBytes] = sizeBytes;
    words[box + BOX.addressLow] = address | 0;
    words[box + BOX.addressHigh] = Math.floor(address / 2 ** 32);
    words[box + BOX.value] = value;
    Atomics.store(words, box + BOX.state, STATE_POSTED);
    this.ringHost();
    this.#awaitAnswer();
    Atomics.store(words, box + BOX.state, STATE_EMPTY);
    return words[box + BOX.value]! >>> 0;
  }

  /** What the main thread wants now. */
  get command(): Command {
    return Atomics.load(this.#words, this.#box + BOX.command) as Command;
  }

  #awaitAnswer(): void {
    const words = this.#words;
    const state = this.#box + BOX.state;
    for (let i = 0; i < this.#spinRounds; i++) if (Atomics.load(words, state) === STATE_ANSWERED) return;
    Atomics.store(words, this.#box + BOX.asleep, 1);
    while (Atomics.load(words, state) !== STATE_ANSWERED) Atomics.wait(words, state, STATE_POSTED);
    Atomics.store(words, this.#box + BOX.asleep, 0);
  }
}

/** The main thread's end of all mailboxes. */
export class HostMailbox {
  readonly #words: Int32Array;
  readonly #vcpus: number;
  readonly #access: DeviceAccess = { isWrite: false, isMmio: false, address: 0, sizeBytes: 1, value: 0 };

  constructor(buffer: SharedArrayBuffer, vcpus: number) {
    this.#words = new Int32Array(buffer);
    this.#vcpus = vcpus;
  }

  /** Serves what is posted now. `serve` returns the value read, and must not keep the access. @returns how many. */
  serve(serve: (access: DeviceAccess) => number): number {
    let served = 0;
    for (let id = 0; id < this.#vcpus; id++) {
      if (Atomics.load(this.#words, boxOf(id) + BOX.state) !== STATE_POSTED) continue;
      this.#serveBox(boxOf(id), serve);
      served++;
    }
    return served;
  }

  /** Orders a vCPU's thread; kick it for it to look. */
  command(vcpuId: number, command: Command): void {
    Atomics.store(this.#words, boxOf(vcpuId) + BOX.command, command);
  }

  /** Says whether the main thread is about to sleep: then posts ring the doorbell. */
  set asleep(asleep: boolean) {
    Atomics.store(this.#words, HOST.asleep, asleep ? 1 : 0);
  }

  /** The doorbell's count, to be read before the last look and passed to `wait`. */
  get rings(): number {
    return Atomics.load(this.#words, HOST.doorbell);
  }

  /** Resolves when the doorbell's count is not `rings`. @returns whether it had to wait, so that the event loop turned. */
  async wait(rings: number): Promise<boolean> {
    const result = Atomics.waitAsync(this.#words, HOST.doorbell, rings);
    if (result.async) await result.value;
    return result.async;
  }

  /** Ends a `wait` of this thread's own. */
  ring(): void {
    Atomics.add(this.#words, HOST.doorbell, 1);
    Atomics.notify(this.#words, HOST.doorbell);
  }

  #serveBox(box: number, serve: (access: DeviceAccess) => number): void {
    const words = this.#words;
    const access = this.#access;
    access.isWrite = words[box + BOX.isWrite] !== 0;
    access.isMmio = words[box + BOX.isMmio] !== 0;
    access.sizeBytes = words[box + BOX.sizeBytes]!;
    access.address = words[box + BOX.addressHigh]! * 2 ** 32 + (words[box + BOX.addressLow]! >>> 0);
    access.value = words[box + BOX.value]! >>> 0;
    words[box + BOX.value] = serve(access);
    Atomics.store(words, box + BOX.state, STATE_ANSWERED);
    if (Atomics.load(words, box + BOX.asleep) !== 0) Atomics.notify(words, box + BOX.state);
  }
}

function boxOf(vcpuId: number): number {
  return HOST.words + vcpuId * BOX.words;
}
