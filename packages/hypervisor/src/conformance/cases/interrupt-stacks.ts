/** Gates with an interrupt stack of the TSS (Intel SDM Vol. 3A §6.14.5 "Interrupt Stack Table"). */
import { IDT, SPARE, TSS } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';

/** Where entry `ist`, 1 to 7, of the interrupt stack table leads to. */
export function interruptStackTop(ist: number): number {
  return SPARE + 0x10000 + ist * 0x1000;
}

/** Gives the gate of a vector an entry of the table. */
export function useInterruptStack(machine: Machine, vector: number, ist = 1): void {
  machine.memory.writeU64(TSS + 0x1c + ist * 8, BigInt(interruptStackTop(ist)));
  machine.memory.writeU8(IDT + vector * 16 + 4, ist);
}
