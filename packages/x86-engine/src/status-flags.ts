/**
 * The status flags, kept as what they follow from: most are never asked for (Intel SDM Vol. 1 §3.4.3.1 "Status Flags").
 *
 * `result`, `a` and `b` are sign-extended to 64 bits, which keeps unsigned order and the sign of any width. ZF, SF and PF
 * follow from `result`; two bits of `kind` turn SF and PF over, for results that no number has. CF, OF and AF follow from
 * the kind.
 */
import { offsetOf } from './cpu-state.ts';

export const FLAGS_KIND = {
  /** CF, OF and AF are in `a`, at their places in RFLAGS. */
  explicit: 0,
  add: 1,
  adc: 2,
  sub: 3,
  sbb: 4,
  /** CF is bit 8 of the kind. */
  inc: 5,
  dec: 6,
  logic: 7,
  multiply: 8,
} as const;

export const KIND_MASK = 0xff;
export const SAVED_CARRY_SHIFT = 8;
export const TURN_SF = 1 << 16;
export const TURN_PF = 1 << 17;

/** Places in RFLAGS. */
export const FLAG_BIT = { CF: 0, PF: 2, AF: 4, ZF: 6, SF: 7, OF: 11 } as const;

/** Makes the six flags those of an RFLAGS word; `state`: a vCPU's block. WebAssembly does the same (interpreter-module.ts). */
export function setStatusFlags(state: DataView, rflags: number): void {
  const has = (flag: keyof typeof FLAG_BIT) => ((rflags >> FLAG_BIT[flag]) & 1) !== 0;
  const turns = (has('SF') ? TURN_SF : 0) | (has('ZF') && !has('PF') ? TURN_PF : 0);
  state.setBigInt64(offsetOf('flagsResult'), has('ZF') ? 0n : has('PF') ? 3n : 1n, true);
  state.setBigUint64(offsetOf('flagsA'), BigInt(rflags), true);
  state.setUint32(offsetOf('flagsKind'), FLAGS_KIND.explicit | turns, true);
}
