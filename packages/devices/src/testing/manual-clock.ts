/** A clock and timers that only a test moves. */
import type { Timers } from '../timers.ts';

interface Pending {
  readonly dueMs: number;
  readonly fn: () => void;
}

export class ManualClock implements Timers<Pending> {
  nowMs: number;
  readonly #pending = new Set<Pending>();
  readonly now = (): number => this.nowMs;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
  }

  get pendingTimers(): number {
    return this.#pending.size;
  }

  setTimeout(ms: number, fn: () => void): Pending {
    const timer = { dueMs: this.nowMs + ms, fn };
    this.#pending.add(timer);
    return timer;
  }

  clear(timer: Pending): void {
    this.#pending.delete(timer);
  }

  /** Lets the time pass, with every timer called when it is due. */
  advance(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const next = [...this.#pending].sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined || next.dueMs > end) break;
      this.#pending.delete(next);
      this.nowMs = next.dueMs;
      next.fn();
    }
    this.nowMs = end;
  }
}
