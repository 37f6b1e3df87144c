/**
 * The guest whose exits are timed: loops of one instruction that exits, in flat 32-bit protected mode. The C program
 * and Vireo run the same bytes, with the same registers: EDX the port, EBX the MMIO address, ECX how many times.
 */
import {
  type Assembler,
  al,
  assemble,
  dword,
  dx,
  eax,
  ebx,
  ecx,
} from '@vireo/hypervisor/conformance/assembler';
import { CODE, MMIO } from '@vireo/hypervisor/conformance/guest-layout';

export const EXIT_KINDS = ['pio-out', 'pio-in', 'mmio-write', 'mmio-read'] as const;
export type ExitKind = (typeof EXIT_KINDS)[number];

const EXITING: Readonly<Record<ExitKind, (a: Assembler) => void>> = {
  'pio-out': (a) => a.out(dx, al),
  'pio-in': (a) => a.in(al, dx),
  'mmio-write': (a) => a.mov(dword(ebx), eax),
  'mmio-read': (a) => a.mov(eax, dword(ebx)),
};

/** Served in the vCPU's thread, where there is a choice. */
export const LOCAL_PORT = 0x3f8;
/** Served in the main thread, where there is a choice. */
export const REMOTE_PORT = 0x70;
/** Backed by nothing. */
export const MMIO_GPA = MMIO;

export interface ExitGuest {
  readonly bytes: Uint8Array;
  readonly origin: number;
  /** Where each loop starts; it ends in HLT. */
  readonly entries: Readonly<Record<ExitKind, number>>;
}

export function exitGuest(): ExitGuest {
  const program = assemble({ origin: CODE, bits: 32 }, (a) => {
    for (const kind of EXIT_KINDS) {
      a.align(16);
      a.label(kind);
      EXITING[kind](a);
      a.dec(ecx);
      a.jcc('ne', kind);
      a.hlt();
    }
  });
  const entries = Object.fromEntries(EXIT_KINDS.map((kind) => [kind, program.address(kind)]));
  return { bytes: program.bytes, origin: program.origin, entries: entries as ExitGuest['entries'] };
}

/** One round: run this loop so many times. */
export interface Round {
  readonly entry: number;
  readonly count: number;
  readonly port: number;
}
