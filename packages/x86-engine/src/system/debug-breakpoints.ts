/** Which breakpoints an instruction or an access hits (Intel SDM Vol. 3B §17.2.4 "Debug Control Register (DR7)", §17.2.5 "Breakpoint Field Recognition"). */
import type { DebugRegisters } from '@vireo/hypervisor';

/** L0 to L3 and G0 to G3: without them there is nothing to look for. */
const ANY_ENABLED = 0xffn;
/** R/W fields. 2 is I/O with CR4.DE, undefined without. */
const ON_EXECUTION = 0;
const ON_WRITE = 1;
const ON_IO = 2;
const ON_ACCESS = 3;
/** By LEN field; 8 bytes in 64-bit processors only. */
const LENGTH_BYTES = [1n, 2n, 8n, 4n] as const;

/** Whether DR7 enables any: the quick question before the others. */
export const hasBreakpoints = ({ dr7 }: DebugRegisters): boolean => (dr7 & ANY_ENABLED) !== 0n;

/** @returns bits of DR6; 0: none. It is a fault, which RFLAGS.RF holds back. */
export function executeBreakpoint(debug: DebugRegisters, linearRip: bigint): bigint {
  return hits(debug, linearRip, 1, (kind) => kind === ON_EXECUTION);
}

/** @returns bits of DR6; 0: none. It is a trap, after the access. */
export function dataBreakpoint(
  debug: DebugRegisters,
  gva: bigint,
  lengthBytes: number,
  isWrite: boolean,
): bigint {
  return hits(debug, gva, lengthBytes, (kind) => kind === ON_ACCESS || (isWrite && kind === ON_WRITE));
}

/** Of an I/O port, with CR4.DE. @returns bits of DR6; 0: none. It is a trap, after the access. */
export function portBreakpoint(debug: DebugRegisters, port: number, lengthBytes: number): bigint {
  return hits(debug, BigInt(port), lengthBytes, (kind) => kind === ON_IO);
}

function hits(
  debug: DebugRegisters,
  start: bigint,
  lengthBytes: number,
  isKind: (kind: number) => boolean,
): bigint {
  if (!hasBreakpoints(debug)) return 0n;
  const last = start + BigInt(lengthBytes) - 1n;
  let reasons = 0n;
  for (const [place, address] of debug.addresses.entries()) {
    const isEnabled = ((debug.dr7 >> BigInt(place * 2)) & 3n) !== 0n;
    const field = Number((debug.dr7 >> BigInt(16 + place * 4)) & 15n);
    if (!isEnabled || !isKind(field & 3)) continue;
    const coveredBytes = LENGTH_BYTES[field >> 2]!;
    // A breakpoint of several bytes is aligned: the address's low bits do not count.
    const first = address & ~(coveredBytes - 1n);
    if (first <= last && start < first + coveredBytes) reasons |= 1n << BigInt(place);
  }
  return reasons;
}
