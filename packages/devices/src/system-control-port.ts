/**
 * System Control Port A, port 0x92 (IBM Personal System/2 Hardware Interface Technical Reference): the fast reset, and
 * an A20 gate that reads back but gates nothing, since no software that runs here wants addresses to wrap.
 */
import { PORT_92_A20, PORT_92_FAST_RESET } from '@vireo/spec/i8042';
import type { IoDevice } from './io-device.ts';
import { SavedStateReader } from './saved-state.ts';

export interface SystemControlPortState {
  version: 1;
  value: number;
}

export class SystemControlPort implements IoDevice {
  readonly name = 'system control port A';
  readonly #onReset: () => void;
  #value = PORT_92_A20;

  constructor(onReset: () => void) {
    this.#onReset = onReset;
  }

  reset(): void {
    this.#value = PORT_92_A20;
  }

  read(): number {
    return this.#value;
  }

  write(_offset: number, _sizeBytes: number, value: number): void {
    const starts = value & ~this.#value & PORT_92_FAST_RESET;
    this.#value = value & (PORT_92_A20 | PORT_92_FAST_RESET);
    if (starts) this.#onReset();
  }

  save(): SystemControlPortState {
    return { version: 1, value: this.#value };
  }

  /** @throws SavedStateError */
  restore(state: SystemControlPortState): void {
    const value = new SavedStateReader(this.name, state, 1).uint('value', 0xff);
    this.#value = value & (PORT_92_A20 | PORT_92_FAST_RESET);
  }
}
