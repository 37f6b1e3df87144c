/**
 * Delivery of exceptions and interrupts: to the handler in the IDT, with faults on the way, up to the triple fault
 * (Intel SDM Vol. 3A chapter 6 "Interrupt and Exception Handling").
 */
import { deliverInLongMode } from './deliver-long.ts';
import { deliverInProtectedMode } from './deliver-protected.ts';
import { deliverInRealMode } from './deliver-real.ts';
import { faultEvent, type GuestEvent } from './guest-event.ts';
import { GuestFault, VECTOR } from './guest-fault.ts';
import { operatingMode } from './processor.ts';
import type { SystemProcessor } from './system-processor.ts';

/** The processor has stopped, as on a real one it would until a reset. */
export type Delivered = 'delivered' | 'triple-fault';

export function deliver(processor: SystemProcessor, event: GuestEvent): Delivered {
  for (let current = event; ; ) {
    try {
      deliverOnce(processor, current);
      return 'delivered';
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      if (error.gva !== undefined) processor.special.cr2 = error.gva;
      const next = combine(current, error);
      if (next === undefined) return 'triple-fault';
      current = next;
    }
  }
}

/** Without what comes of faults on the way. @throws GuestFault; then nothing has changed */
export function deliverOnce(processor: SystemProcessor, event: GuestEvent): void {
  const mode = operatingMode(processor);
  if (mode === 'real') deliverInRealMode(processor, event);
  else if (mode === 'long') deliverInLongMode(processor, event);
  else deliverInProtectedMode(processor, event);
}

const CONTRIBUTORY: readonly number[] = [VECTOR.DE, VECTOR.TS, VECTOR.NP, VECTOR.SS, VECTOR.GP];

/** Table 6-5 "Conditions for Generating a Double Fault". Undefined: a fault in the delivery of a double fault. */
function combine(first: GuestEvent, second: GuestFault): GuestEvent | undefined {
  if (first.source === 'exception') {
    if (first.vector === VECTOR.DF) return undefined;
    const isContributory = CONTRIBUTORY.includes(second.vector);
    const isDouble =
      (CONTRIBUTORY.includes(first.vector) && isContributory) ||
      (first.vector === VECTOR.PF && (isContributory || second.vector === VECTOR.PF));
    if (isDouble) return faultEvent(VECTOR.DF, 0);
  }
  return faultEvent(second.vector, second.errorCode);
}
