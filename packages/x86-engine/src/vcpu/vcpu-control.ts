/**
 * What other threads ask of a vCPU, and how they know that it has been done: a word of requests, a sequence number of
 * those that are waited for, and whether the vCPU is in the guest at all. A vCPU outside looks at them when it comes in.
 *
 * The order is what makes it safe: who asks writes the request, then looks whether the vCPU is inside; the vCPU says that
 * it is inside, then looks for requests. Both are sequentially consistent, so one of the two sees the other.
 */
import { offsetOf } from '../cpu-state.ts';
import { vcpuArea } from '../memory-map.ts';

/** Bits of the state's `pending` word: why the vCPU is to return to the host at its next jump. */
export const PENDING = {
  kick: 1,
  interrupt: 2,
  request: 4,
  /** The instruction at hand is to be the last; its own thread sets it. */
  end: 8,
} as const;

/** What a vCPU forgets on request. */
export const REQUEST = {
  translations: 1,
  code: 2,
  /** Translations that let pages be written. */
  writing: 4,
} as const;

const ASKED = 0;
const DONE = 1;
const INSIDE = 2;
const KICKED = 3;
const REQUESTS = 4;

const WAIT_MS = 1;

export class VcpuControl {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #pendingIndex: number;
  readonly #at: number;

  constructor(buffer: SharedArrayBuffer, id: number) {
    const { state, control } = vcpuArea(id);
    this.#words = new Int32Array(buffer);
    this.#pendingIndex = (state + offsetOf('pending')) / 4;
    this.#at = control / 4;
  }

  get pending(): number {
    return Atomics.load(this.#words, this.#pendingIndex);
  }

  setPending(bits: number): void {
    Atomics.or(this.#words, this.#pendingIndex, bits);
  }

  clearPending(bits: number): void {
    Atomics.and(this.#words, this.#pendingIndex, ~bits);
  }

  /** Of the vCPU's thread. */
  enter(): void {
    Atomics.store(this.#words, this.#at + INSIDE, 1);
  }

  leave(): void {
    Atomics.store(this.#words, this.#at + INSIDE, 0);
    Atomics.notify(this.#words, this.#at + DONE);
  }

  kick(): void {
    Atomics.store(this.#words, this.#at + KICKED, 1);
    this.setPending(PENDING.kick);
  }

  /** @returns whether there was one since the last call */
  takeKick(): boolean {
    this.clearPending(PENDING.kick);
    return Atomics.exchange(this.#words, this.#at + KICKED, 0) !== 0;
  }

  get isKicked(): boolean {
    return Atomics.load(this.#words, this.#at + KICKED) !== 0;
  }

  /** @returns a number to wait for */
  request(bits: number): number {
    Atomics.or(this.#words, this.#at + REQUESTS, bits);
    const sequence = Atomics.add(this.#words, this.#at + ASKED, 1) + 1;
    this.setPending(PENDING.request);
    return sequence;
  }

  /** Of the vCPU's thread: does what is asked. @returns `REQUEST` bits */
  takeRequests(): { readonly bits: number; readonly sequence: number } {
    this.clearPending(PENDING.request);
    const sequence = Atomics.load(this.#words, this.#at + ASKED);
    return { bits: Atomics.exchange(this.#words, this.#at + REQUESTS, 0), sequence };
  }

  /** What was taken has been done. */
  finish(sequence: number): void {
    Atomics.store(this.#words, this.#at + DONE, sequence);
    Atomics.notify(this.#words, this.#at + DONE);
  }

  /** Whether a request has been done, or will be before the vCPU runs the guest again. */
  isDone(sequence: number): boolean {
    const done = Atomics.load(this.#words, this.#at + DONE);
    return ((done - sequence) | 0) >= 0 || Atomics.load(this.#words, this.#at + INSIDE) === 0;
  }

  /** Returns after a while, or earlier when it may be done. */
  waitFor(sequence: number): void {
    const done = Atomics.load(this.#words, this.#at + DONE);
    if (!this.isDone(sequence)) Atomics.wait(this.#words, this.#at + DONE, done, WAIT_MS);
  }
}

/** Asks vCPUs to forget something and waits until all have; `meanwhile` answers what is asked of the caller itself. */
export function requestAll(controls: readonly VcpuControl[], bits: number, meanwhile = () => {}): void {
  const waited = controls.map((control) => ({ control, sequence: control.request(bits) }));
  for (const { control, sequence } of waited) {
    while (!control.isDone(sequence)) {
      meanwhile();
      control.waitFor(sequence);
    }
  }
}
