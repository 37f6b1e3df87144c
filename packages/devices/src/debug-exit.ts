/**
 * A port that ends the VM with a value, for tests: QEMU's isa-debug-exit (hw/misc/debugexit.c). What becomes of the
 * value is the VM's owner's business; QEMU exits with `(value << 1) | 1`.
 */
import type { IoDevice } from './io-device.ts';

export class DebugExit implements IoDevice {
  static readonly lengthBytes = 4;
  readonly name = 'debug exit';
  readonly #onExit: (value: number) => void;

  constructor(onExit: (value: number) => void) {
    this.#onExit = onExit;
  }

  read(): number {
    return 0;
  }

  write(_offset: number, _sizeBytes: number, value: number): void {
    this.#onExit(value);
  }
}
