/** An edge-triggered interrupt input that several threads see: the level, and how often it rose; for tests. */
import type { InterruptLine } from '../io-device.ts';

const LEVEL = 0;
const EDGES = 1;

export class SharedLevel implements InterruptLine {
  static readonly sizeBytes = 8;
  readonly #words: Int32Array;
  #seenEdges = 0;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
  }

  get level(): boolean {
    return Atomics.load(this.#words, LEVEL) === 1;
  }

  set(level: boolean): void {
    const before = Atomics.exchange(this.#words, LEVEL, level ? 1 : 0);
    if (!level || before === 1) return;
    Atomics.add(this.#words, EDGES, 1);
    Atomics.notify(this.#words, EDGES);
  }

  /** Waits until the line rose since the last call. */
  waitForEdge(): void {
    while (Atomics.load(this.#words, EDGES) === this.#seenEdges) {
      Atomics.wait(this.#words, EDGES, this.#seenEdges);
    }
    this.#seenEdges = Atomics.load(this.#words, EDGES);
  }
}
