/** Interrupts in real-address mode (Intel SDM Vol. 3A §20.1.4 "Interrupt and Exception Handling"). */
import type { GuestEvent } from './guest-event.ts';
import { GuestFault, VECTOR } from './guest-fault.ts';
import { type Processor, RFLAGS } from './processor.ts';

const VECTOR_BYTES = 4;

export function deliverInRealMode({ general, special, memory }: Processor, { vector }: GuestEvent): void {
  if (vector * VECTOR_BYTES + 3 > special.idt.limit) throw new GuestFault(VECTOR.GP);
  const entry = memory.read(special.idt.base + BigInt(vector * VECTOR_BYTES), 4, 'system');
  let sp = general.rsp & 0xffffn;
  for (const value of [general.rflags, BigInt(special.cs.selector), general.rip]) {
    sp = (sp - 2n) & 0xffffn;
    memory.write(special.ss.base + sp, 2, value & 0xffffn, 'supervisor');
  }
  general.rsp = (general.rsp & ~0xffffn) | sp;
  const selector = Number(entry >> 16n);
  special.cs = { ...special.cs, selector, base: BigInt(selector * 16) };
  general.rip = entry & 0xffffn;
  general.rflags &= ~(RFLAGS.IF | RFLAGS.TF | RFLAGS.AC | RFLAGS.RF);
}
