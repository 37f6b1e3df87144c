/** Exceptions that the guest's code causes, thrown by slow paths up to where they are delivered (Intel SDM Vol. 3A §6.15 "Exception and Interrupt Reference"). */

export const VECTOR = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;

export class GuestFault extends Error {
  readonly vector: number;
  readonly errorCode: number | undefined;
  /** Of a page fault: what goes to CR2. */
  readonly gva: bigint | undefined;

  constructor(vector: number, errorCode?: number, gva?: bigint) {
    super(`exception ${vector}`);
    this.vector = vector;
    this.errorCode = errorCode;
    this.gva = gva;
  }
}

export const generalProtection = (errorCode = 0): GuestFault => new GuestFault(VECTOR.GP, errorCode);
export const undefinedOpcode = (): GuestFault => new GuestFault(VECTOR.UD);

/** A selector's part of an error code (§6.13 "Error Code"). */
export const selectorError = (selector: number, external: boolean): number =>
  (selector & 0xfffc) | (external ? 1 : 0);

/** An IDT vector's. */
export const vectorError = (vector: number, external: boolean): number => vector * 8 + 2 + (external ? 1 : 0);
