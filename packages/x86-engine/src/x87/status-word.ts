/** Bits of the x87's status and control words (Intel SDM Vol. 1 §8.1.3 "x87 FPU Status Register", §8.1.5 "x87 FPU Control Word"). */

export const EXCEPTIONS = 0x3f;
export const STATUS = {
  ...{ IE: 0x01, SF: 0x40 },
  /** An exception is pending: ES, and B, which is the same. */
  pending: 0x8080,
  ...{ C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000 },
  TOP: 0x3800,
} as const;
export const TOP_SHIFT = 11;
export const ALL_CODES = STATUS.C0 | STATUS.C1 | STATUS.C2 | STATUS.C3;

/** Masks, precision and rounding control, and infinity control, which means nothing; bit 6 is always set. */
export const CONTROL_MASK = 0x1f3f;
export const CONTROL_FIXED = 0x40;
/** After FNINIT. */
export const CONTROL_INITIAL = 0x37f;

/** Beyond the word, of what float80's functions return: an exception that is not masked holds the result back. */
export const WITHHELD_SHIFT = 16;
export const WITHHELD = 1 << WITHHELD_SHIFT;
