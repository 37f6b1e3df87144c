/**
 * An interrupt line that several threads change.
 *
 * Two threads that drove the line each for itself, after unlocking, could do so in the wrong order and leave it at
 * the older level. So one thread at a time drives it (`busy`, taken under the lock); whoever changes the level
 * meanwhile only counts the change, and the driving thread goes on until nothing is counted. A level that went away
 * and came back counts twice, and the line shows it as a pulse: an edge-triggered input misses no interrupt.
 */

import type { SharedLock } from '@vireo/guest-memory/shared-lock';
import type { InterruptLine } from './io-device.ts';

/** How often one thread drives the line for others before it makes them wait. */
const UNLOCKED_ROUNDS = 4;

export class SharedInterruptLine {
  readonly #lock: SharedLock;
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** Index of the level the line should have; how often it changed and who drives it follow. */
  readonly #level: number;
  readonly #changes: number;
  readonly #busy: number;
  readonly #line: InterruptLine;

  /** Three words from `index` on, guarded by `lock`. `line` is this thread's way to the line. */
  constructor(lock: SharedLock, words: Int32Array<SharedArrayBuffer>, index: number, line: InterruptLine) {
    this.#lock = lock;
    this.#words = words;
    this.#level = index;
    this.#changes = index + 1;
    this.#busy = index + 2;
    this.#line = line;
  }

  /** Under the lock. @returns whether this thread must call `drive` once it has released the lock. */
  note(level: boolean): boolean {
    const words = this.#words;
    const wanted = level ? 1 : 0;
    if (wanted !== words[this.#level]) {
      words[this.#level] = wanted;
      words[this.#changes]! += 1;
    }
    if (words[this.#changes] === 0 || words[this.#busy] !== 0) return false;
    words[this.#busy] = 1;
    return true;
  }

  /** Under the lock: the next `note` drives the line even to the level it had. */
  forget(): void {
    this.#words[this.#level] = -1;
    this.#words[this.#changes] = 0;
  }

  /** Without the lock, where `note` said so. */
  drive(): void {
    const words = this.#words;
    for (let round = 0; round < UNLOCKED_ROUNDS; round++) {
      this.#lock.acquire();
      const changes = this.#takeChanges();
      const level = words[this.#level] === 1;
      if (changes === 0) words[this.#busy] = 0;
      this.#lock.release();
      if (changes === 0) return;
      this.#show(changes, level);
    }
    // A guest whose other vCPUs change the level without end must not keep this thread: now they wait.
    this.#lock.acquire();
    try {
      words[this.#busy] = 0;
      this.#show(this.#takeChanges(), words[this.#level] === 1);
    } finally {
      this.#lock.release();
    }
  }

  #takeChanges(): number {
    const changes = this.#words[this.#changes]!;
    this.#words[this.#changes] = 0;
    return changes;
  }

  #show(changes: number, level: boolean): void {
    if (changes === 0) return;
    if (changes % 2 === 0) this.#line.set(!level);
    this.#line.set(level);
  }
}
