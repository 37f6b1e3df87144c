/** Exceptions and interrupts on their way to a handler (Intel SDM Vol. 3A §6.1 "Interrupt and Exception Overview"). */

export interface GuestEvent {
  readonly vector: number;
  /** Of exceptions that have one. */
  readonly errorCode?: number;
  /** 'software': INT n, INT3, INTO; `rip` is then behind the instruction. */
  readonly source: 'exception' | 'external' | 'software';
}

/** An exception as who raises it knows it. */
export interface FaultEvent extends GuestEvent {
  readonly source: 'exception';
  /** Of a page fault: what goes to CR2. */
  readonly gva?: bigint;
}

export function faultEvent(vector: number, errorCode?: number, gva?: bigint): FaultEvent {
  return {
    ...{ vector, source: 'exception' },
    ...(errorCode !== undefined && { errorCode }),
    ...(gva !== undefined && { gva }),
  };
}
