/**
 * What an operating system has switched off of x87, MMX, SSE and XSAVE, in a word of the vCPU's state that handlers look at
 * (Intel SDM Vol. 3A §2.5 "Control Registers"). Whoever writes CR0 or CR4 sets it.
 */
import type { Unit } from '@vireo/x86-isa';

const CR0 = { MP: 0x2n, EM: 0x4n, TS: 0x8n } as const;
const CR4 = { OSFXSR: 0x200n, OSXSAVE: 0x4_0000n } as const;

const UNAVAILABLE = {
  /** Both TS and MP. */
  wait: 1,
  emulated: 2,
  taskSwitched: 4,
  noFxsave: 8,
  noXsave: 16,
} as const;

export function fpuUnavailableWord(cr0: bigint, cr4: bigint): number {
  const { wait, emulated, taskSwitched, noFxsave, noXsave } = UNAVAILABLE;
  const waits = (cr0 & CR0.TS) !== 0n && (cr0 & CR0.MP) !== 0n;
  return (
    (waits ? wait : 0) |
    (cr0 & CR0.EM ? emulated : 0) |
    (cr0 & CR0.TS ? taskSwitched : 0) |
    (cr4 & CR4.OSFXSR ? 0 : noFxsave) |
    (cr4 & CR4.OSXSAVE ? 0 : noXsave)
  );
}

/** Bits that make a unit's instructions raise #UD, or else #NM. */
export const UNAVAILABLE_TO: Readonly<Record<Unit, { readonly UD: number; readonly NM: number }>> = {
  x87: { UD: 0, NM: UNAVAILABLE.emulated | UNAVAILABLE.taskSwitched },
  wait: { UD: 0, NM: UNAVAILABLE.wait },
  mmx: { UD: UNAVAILABLE.emulated, NM: UNAVAILABLE.taskSwitched },
  sse: { UD: UNAVAILABLE.emulated | UNAVAILABLE.noFxsave, NM: UNAVAILABLE.taskSwitched },
  xsave: { UD: UNAVAILABLE.noXsave, NM: UNAVAILABLE.taskSwitched },
};
