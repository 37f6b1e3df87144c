/** Where each part of the UART lives in its shared memory. All of it is guarded by the lock in its first word. */

import { SharedLock } from '@vireo/guest-memory/shared-lock';
import { FIFO_LENGTH_BYTES } from '@vireo/spec/uart16550';
import { SharedRing } from './shared-ring.ts';

/** Indices of 32-bit words. */
export const WORD = {
  lock: 0,
  ier: 1,
  lcr: 2,
  mcr: 3,
  scr: 4,
  divisor: 5,
  fcr: 6,
  /** The bits of LSR that stay until it is read. */
  lineErrors: 7,
  msr: 8,
  /** 1 while the THR-empty interrupt is due: not the same as THR being empty. */
  thrEmptyDue: 9,
  /** How many bytes at the front of the input ring the receive FIFO holds. */
  arrived: 10,
  inputHead: 11,
  inputTail: 12,
  outputHead: 13,
  outputTail: 14,
  /** 1 from the wake of the host until it has drained all output. */
  hostAwake: 15,
  /** The level that the interrupt line should have. */
  lineLevel: 16,
  /** How often `lineLevel` changed since the line was last driven. */
  lineChanges: 17,
  /** 1 while some thread drives the line. */
  lineBusy: 18,
  /** Bytes sent to ourselves, in loopback. */
  loopHead: 19,
  loopTail: 20,
  /** 1 while the host has input that did not fit. */
  hostHasInput: 21,
} as const;

const WORDS_LENGTH_BYTES = 256;
const INPUT_RING_BYTES = 4096;
const OUTPUT_RING_BYTES = 64 * 1024;
const LOOP_OFFSET = WORDS_LENGTH_BYTES;
const INPUT_OFFSET = LOOP_OFFSET + FIFO_LENGTH_BYTES;
const OUTPUT_OFFSET = INPUT_OFFSET + INPUT_RING_BYTES;

export const UART_SHARED_SIZE_BYTES = OUTPUT_OFFSET + OUTPUT_RING_BYTES;

/** One thread's view of the shared memory. */
export class Uart16550Shared {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly lock: SharedLock;
  readonly input: SharedRing;
  readonly output: SharedRing;
  readonly loop: SharedRing;

  constructor(shared: SharedArrayBuffer) {
    if (shared.byteLength < UART_SHARED_SIZE_BYTES) {
      throw new RangeError(`a UART needs ${UART_SHARED_SIZE_BYTES} bytes of shared memory`);
    }
    const words = new Int32Array(shared, 0, WORDS_LENGTH_BYTES / 4);
    this.words = words;
    this.lock = new SharedLock(words, WORD.lock);
    const ring = (head: number, offset: number, lengthBytes: number) =>
      new SharedRing(words, head, new Uint8Array(shared, offset, lengthBytes));
    this.loop = ring(WORD.loopHead, LOOP_OFFSET, FIFO_LENGTH_BYTES);
    this.input = ring(WORD.inputHead, INPUT_OFFSET, INPUT_RING_BYTES);
    this.output = ring(WORD.outputHead, OUTPUT_OFFSET, OUTPUT_RING_BYTES);
  }
}
