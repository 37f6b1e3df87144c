/**
 * Guests of a few instructions, as PVH kernels: entered in 32-bit protected mode with flat segments (Xen, "x86/HVM
 * direct boot ABI"). What they write to the first serial port is what is measured; the debug-exit port ends them.
 */
import { writeFileSync } from 'node:fs';
import {
  type Assembler,
  addressOf,
  al,
  assemble,
  dx,
  eax,
  ebx,
  ecx,
  edx,
  esi,
} from '@vireo/hypervisor/conformance/assembler';
import { compactElf } from '../../packages/boot/src/compact-elf.ts';

/** PC16550D data sheet §8.0 "Registers": offsets from the port's base, and bits. */
const COM1 = 0x3f8;
const FCR = COM1 + 2;
const LSR = COM1 + 5;
const FCR_FIFO_ENABLE = 1;
const LSR_THRE = 0x20;
const FIFO_BYTES = 16;

const DEBUG_EXIT_PORT = 0xf4;
/** Where Linux kernels are loaded, too. */
const LOAD_GPA = 0x100_0000;

export const MARKER = '!';

/** Its first output is its first instruction that does anything. */
export function firstInstructionGuest(): Uint8Array {
  return pvhKernel((a) => {
    a.mov(edx, COM1);
    a.mov(al, MARKER.charCodeAt(0));
    a.out(dx, al);
    end(a);
  });
}

/** Writes so many bytes, each when the transmitter is empty: two exits a byte, as an early console does. */
export function polledSerialGuest(bytes: number): Uint8Array {
  return pvhKernel((a) => {
    a.mov(ecx, bytes);
    a.label('next byte');
    waitForTransmitter(a);
    a.mov(edx, COM1);
    a.mov(al, MARKER.charCodeAt(0));
    a.out(dx, al);
    a.dec(ecx);
    a.jcc('ne', 'next byte');
    end(a);
  });
}

/**
 * Writes so many bytes, a FIFO's worth with each REP OUTSB when it is empty: one poll for 16 bytes. KVM emulates the
 * instruction, with an exit for each byte.
 */
export function stringSerialGuest(bytes: number): Uint8Array {
  return pvhKernel((a) => {
    a.mov(edx, FCR);
    a.mov(al, FCR_FIFO_ENABLE);
    a.out(dx, al);
    a.mov(ebx, bytes / FIFO_BYTES);
    a.cld();
    a.label('next burst');
    waitForTransmitter(a);
    a.mov(edx, COM1);
    a.mov(esi, addressOf('text'));
    a.mov(ecx, FIFO_BYTES);
    a.rep();
    a.outs(8);
    a.dec(ebx);
    a.jcc('ne', 'next burst');
    end(a);
    a.label('text');
    a.ascii(MARKER.repeat(FIFO_BYTES));
  });
}

function waitForTransmitter(a: Assembler): void {
  const label = `transmitter at ${a.here}`;
  a.mov(edx, LSR);
  a.label(label);
  a.in(al, dx);
  a.test(al, LSR_THRE);
  a.jcc('e', label);
}

/** By the debug-exit port; should there be none, halted. */
function end(a: Assembler): void {
  const label = `halt at ${a.here}`;
  a.mov(eax, 0);
  a.mov(edx, DEBUG_EXIT_PORT);
  a.out(dx, eax);
  a.label(label);
  a.hlt();
  a.jmp(label);
}

function pvhKernel(write: (a: Assembler) => void): Uint8Array {
  const { bytes } = assemble({ origin: LOAD_GPA, bits: 32 }, write);
  const segment = {
    ...{ offset: 0, gpa: LOAD_GPA, gva: BigInt(LOAD_GPA) },
    ...{ fileBytes: bytes.length, memoryBytes: bytes.length },
  };
  const elf = { bits: 64, entry: BigInt(LOAD_GPA), segments: [segment], pvhEntryGpa: LOAD_GPA } as const;
  return Buffer.concat(compactElf(bytes, elf, LOAD_GPA));
}

export function writeGuest(path: string, guest: Uint8Array): string {
  writeFileSync(path, guest);
  return path;
}
