/**
 * The reset control register of Intel's chipsets (Intel I/O Controller Hub 9 data sheet §13.7.5 "RST_CNT—Reset
 * Control Register"), the one that the FADT names as RESET_REG. Hard and soft resets are the same here.
 */
import * as reset from '@vireo/spec/reset-control';
import type { IoDevice } from './io-device.ts';
import { SavedStateReader } from './saved-state.ts';

const STORED_BITS = reset.RST_CNT_SYS_RST | reset.RST_CNT_RST_CPU | reset.RST_CNT_FULL_RST;

export interface ResetControlState {
  version: 1;
  value: number;
}

export class ResetControl implements IoDevice {
  readonly name = 'reset control';
  readonly #onReset: () => void;
  #value = 0;

  constructor(onReset: () => void) {
    this.#onReset = onReset;
  }

  reset(): void {
    this.#value = 0;
  }

  read(): number {
    return this.#value;
  }

  write(_offset: number, _sizeBytes: number, value: number): void {
    // A reset starts when RST_CPU goes from 0 to 1: the type is written first.
    const starts = value & ~this.#value & reset.RST_CNT_RST_CPU;
    this.#value = value & STORED_BITS;
    if (starts) this.#onReset();
  }

  save(): ResetControlState {
    return { version: 1, value: this.#value };
  }

  /** @throws SavedStateError */
  restore(state: ResetControlState): void {
    this.#value = new SavedStateReader(this.name, state, 1).uint('value', 0xff) & STORED_BITS;
  }
}
