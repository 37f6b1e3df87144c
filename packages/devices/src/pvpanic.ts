/** Tells the host that the guest's kernel panicked: QEMU's pvpanic ISA device (QEMU docs/specs/pvpanic.rst). Stateless. */
import { PVPANIC_CRASH_LOADED, PVPANIC_PANICKED } from '@vireo/spec/pvpanic';
import type { IoDevice } from './io-device.ts';

/** 'crash-loaded': the guest panicked and its own crash kernel takes over. */
export type PvpanicEvent = 'panicked' | 'crash-loaded';

export class Pvpanic implements IoDevice {
  static readonly lengthBytes = 1;
  readonly name = 'pvpanic';
  readonly #onEvent: (event: PvpanicEvent) => void;

  constructor(onEvent: (event: PvpanicEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** The events that the host understands. */
  read(): number {
    return PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
  }

  write(_offset: number, _sizeBytes: number, value: number): void {
    if (value & PVPANIC_PANICKED) this.#onEvent('panicked');
    else if (value & PVPANIC_CRASH_LOADED) this.#onEvent('crash-loaded');
  }
}
