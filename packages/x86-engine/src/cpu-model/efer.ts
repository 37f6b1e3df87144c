/** What WRMSR does to IA32_EFER (Intel SDM Vol. 3A §2.2.1 "Extended Feature Enable Register"). */

const EFER_SCE = 1n << 0n;
const EFER_LME = 1n << 8n;
const EFER_LMA = 1n << 10n;
const EFER_NXE = 1n << 11n;

const EFER_BITS = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

/** Whether there can be such a value: everything else is reserved. */
export const isEfer = (value: bigint): boolean => (value & ~EFER_BITS) === 0n;

/**
 * The register after a write, or undefined: #GP(0). LMA is the processor's, which follows LME and CR0.PG; what is written
 * there is ignored. LME cannot change while paging is on (Vol. 3A §9.8.5 "Initializing IA-32e Mode").
 */
export function writtenEfer(present: bigint, value: bigint, pagingEnabled: boolean): bigint | undefined {
  if (!isEfer(value)) return undefined;
  if (pagingEnabled && ((present ^ value) & EFER_LME) !== 0n) return undefined;
  return (value & ~EFER_LMA) | (present & EFER_LMA);
}
