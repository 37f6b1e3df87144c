/** What stands for the local APIC's registers on a VM without interrupt controllers. */
import type { ApicRegisters } from './cpu-registers.ts';

/** The task priority and the base are only kept. */
export class NoApic implements ApicRegisters {
  taskPriority = 0;
  apicBase = 0xfee0_0900n;

  setApicBase(value: bigint): void {
    this.apicBase = value;
  }
}
