/** Debug registers (Intel SDM Vol. 2B "MOV—Move to/from Debug Registers", Vol. 3B §17.2 "Debug Registers"). */
import type { DebugRegisters } from '@vireo/hypervisor';
import { GuestFault, generalProtection, undefinedOpcode, VECTOR } from './guest-fault.ts';
import { requireSupervisor } from './privilege-checks.ts';
import type { Operation, Operations, SystemProcessor } from './system-processor.ts';

const CR4_DE = 1n << 3n;

/** B0 to B3 are its lowest bits. */
export const DR6 = { BD: 1n << 13n, BS: 1n << 14n, BT: 1n << 15n } as const;
const DR7_GD = 1n << 13n;
const DR6_WRITABLE = 0xe00fn;
const DR6_ONES = 0xffff_0ff0n;
const DR7_WRITABLE = 0xffff_23ffn;
const DR7_ONES = 0x400n;

/**
 * What #DB does besides the handler's call: DR6 says why, and the handler may use the debug registers (§17.2.3 "Debug
 * Status Register (DR6)", §17.2.4 "Debug Control Register (DR7)"). `reasons`: bits of DR6, B0 to B3 among them.
 */
export function recordDebugException(debug: DebugRegisters, reasons: bigint): void {
  // Breakpoints' bits say what was hit this time; the others stay until software clears them.
  debug.dr6 = (debug.dr6 & ~15n) | reasons;
  debug.dr7 &= ~DR7_GD;
}

/** The register's number, once it may be accessed. */
function numberOf(processor: SystemProcessor, number: bigint): number {
  const isAlias = number === 4n || number === 5n;
  if (number > 7n || (isAlias && (processor.special.cr4 & CR4_DE) !== 0n)) throw undefinedOpcode();
  requireSupervisor(processor);
  if ((processor.debug.dr7 & DR7_GD) !== 0n) {
    recordDebugException(processor.debug, DR6.BD);
    throw new GuestFault(VECTOR.DB);
  }
  return Number(number) + (isAlias ? 2 : 0);
}

const readDebugRegister: Operation = (processor, { a }) => {
  const number = numberOf(processor, a);
  const { addresses, dr6, dr7 } = processor.debug;
  return addresses[number] ?? (number === 6 ? dr6 | DR6_ONES : dr7 | DR7_ONES);
};

const writeDebugRegister: Operation = (processor, { a, b }) => {
  const number = numberOf(processor, a);
  const { debug } = processor;
  if (number < 4) {
    debug.addresses[number] = b;
    return;
  }
  if (b >> 32n !== 0n) throw generalProtection();
  if (number === 6) debug.dr6 = (b & DR6_WRITABLE) | DR6_ONES;
  else debug.dr7 = (b & DR7_WRITABLE) | DR7_ONES;
};

export const DEBUG_REGISTERS = { readDebugRegister, writeDebugRegister } satisfies Partial<Operations>;
