/** Bits of MXCSR (Intel SDM Vol. 1 §10.2.3 "MXCSR Control and Status Register"). */

/** The exceptions' flags; their masks are MASK_SHIFT above. */
export const EXCEPTION = { IE: 1, DE: 2, ZE: 4, OE: 8, UE: 16, PE: 32 } as const;
export const ALL_EXCEPTIONS = 0x3f;
/** Found before anything is computed. */
export const PRE_COMPUTATION = EXCEPTION.IE | EXCEPTION.DE | EXCEPTION.ZE;
export const MASK_SHIFT = 7;

export const MXCSR = { DAZ: 0x40, UM: 0x800, OM: 0x400, RC_SHIFT: 13, FTZ: 0x8000 } as const;
export const MXCSR_RESERVED = 0xffff_0000;
/** After a reset: everything masked, to nearest. */
export const MXCSR_INITIAL = 0x1f80;

/** The rounding control's values. */
export const ROUND = { nearest: 0, down: 1, up: 2, truncate: 3 } as const;

/** What must be so for an operation whose only exception is PE to need no more than a result: initial control, PE set. */
export const SIMPLE_MASK = 0xffe0;
export const SIMPLE_VALUE = 0x1fa0;
