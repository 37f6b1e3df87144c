/** Interrupts in real-address mode (Intel SDM Vol. 3A §20.1.4 "Interrupt and Exception Handling"). */
import { paragraphCode, requireOffset } from './code-target.ts';
import type { GuestEvent } from './guest-event.ts';
import { generalProtection } from './guest-fault.ts';
import { type Processor, RFLAGS } from './processor.ts';
import { Stack } from './stack.ts';

const VECTOR_BYTES = 4;

export function deliverInRealMode(processor: Processor, { vector }: GuestEvent): void {
  const { general, special, memory } = processor;
  if (vector * VECTOR_BYTES + 3 > special.idt.limit) throw generalProtection();
  const entry = memory.read(special.idt.base + BigInt(vector * VECTOR_BYTES), 4, 'system');
  const code = paragraphCode(processor, Number(entry >> 16n));
  requireOffset(processor, code, entry & 0xffffn);
  const stack = Stack.current(processor);
  stack.pushAll([general.rflags, BigInt(special.cs.selector), general.rip], 2);
  general.rsp = stack.pointer;
  special.cs = code;
  general.rip = entry & 0xffffn;
  general.rflags &= ~(RFLAGS.IF | RFLAGS.TF | RFLAGS.AC | RFLAGS.RF);
}
