/** QEMU's pvpanic device (QEMU docs/specs/pvpanic.rst). */
export const PVPANIC_PANICKED = 1 << 0;
export const PVPANIC_CRASH_LOADED = 1 << 1;
