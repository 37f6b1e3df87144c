/**
 * Where the INTx pins of devices on bus 0 arrive: every pin at one of eight I/O APIC inputs, 16 to 23, turned by one
 * a device so that first pins spread (PCI Express Base 5.0 §2.2.8.1 "INTx Interrupt Signaling - Rules", whose table
 * for bridges this follows with eight lines for four). Lines are shared: an input is high while any pin on it is.
 */
import type { InterruptLine } from '../io-device.ts';

const FIRST_GSI = 16;
const GSIS = 8;

/** The GSI of a pin, 0 for INTA#; the DSDT's _PRT says the same. */
export function intxGsi(device: number, pin: number): number {
  return FIRST_GSI + ((device + pin) % GSIS);
}

export class IntxRouter {
  readonly #setGsi: (gsi: number, level: boolean) => void;
  /** How many pins assert each input. */
  readonly #asserted = new Array<number>(GSIS).fill(0);

  constructor(setGsi: (gsi: number, level: boolean) => void) {
    this.#setGsi = setGsi;
  }

  /** The line of one device's pin. */
  line(device: number, pin: number): InterruptLine {
    const gsi = intxGsi(device, pin);
    let current = false;
    return {
      set: (level) => {
        if (level === current) return;
        current = level;
        const before = this.#asserted[gsi - FIRST_GSI]!;
        const after = before + (level ? 1 : -1);
        this.#asserted[gsi - FIRST_GSI] = after;
        if (before === 0 || after === 0) this.#setGsi(gsi, after > 0);
      },
    };
  }
}
