/** A PCI bus: up to 32 devices of up to 8 functions. */
import { PCI_DEVICES_PER_BUS, PCI_FUNCTIONS_PER_DEVICE } from '@vireo/spec/pci';
import type { PciFunction } from './pci-function.ts';

export class PciBus {
  readonly #functions: (PciFunction | undefined)[] = new Array(
    PCI_DEVICES_PER_BUS * PCI_FUNCTIONS_PER_DEVICE,
  ).fill(undefined);

  /** @throws RangeError when the place is taken or there is none. */
  attach(device: number, functionNumber: number, fn: PciFunction): void {
    const index = device * PCI_FUNCTIONS_PER_DEVICE + functionNumber;
    const isPlace = device < PCI_DEVICES_PER_BUS && functionNumber < PCI_FUNCTIONS_PER_DEVICE;
    if (!isPlace || this.#functions[index] !== undefined) {
      throw new RangeError(`${fn.name}: PCI device ${device} function ${functionNumber} is taken or none`);
    }
    this.#functions[index] = fn;
  }

  /** `devfn`: device number times 8 plus function number. */
  at(devfn: number): PciFunction | undefined {
    return this.#functions[devfn];
  }

  get functions(): readonly PciFunction[] {
    return this.#functions.filter((fn) => fn !== undefined);
  }

  reset(): void {
    for (const fn of this.functions) fn.reset();
  }
}
