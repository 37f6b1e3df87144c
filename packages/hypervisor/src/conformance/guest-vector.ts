/** Guest code that turns the x87, SSE and AVX units on (Intel SDM Vol. 3A §9.6 "Initializing SSE/SSE2/SSE3/SSSE3 Extensions", Vol. 1 §13.3 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features"). */
import { type Assembler, cr0, cr4, eax, ecx, edx, rax } from './assembler.ts';

export const XCR0_X87 = 1;
export const XCR0_SSE = 2;
export const XCR0_AVX = 4;

const CR0_MP = 1 << 1;
const CR0_EM = 1 << 2;
const CR0_TS = 1 << 3;
const CR4_OSFXSR = 1 << 9;
const CR4_OSXMMEXCPT = 1 << 10;
const CR4_OSXSAVE = 1 << 18;

/** In 64-bit code; changes RAX. */
export function enableSse(a: Assembler): void {
  a.mov(rax, cr0);
  a.or(rax, CR0_MP);
  a.and(rax, ~(CR0_EM | CR0_TS));
  a.mov(cr0, rax);
  a.mov(rax, cr4);
  a.or(rax, CR4_OSFXSR | CR4_OSXMMEXCPT);
  a.mov(cr4, rax);
}

/** Turns these XSAVE features on; changes RAX, RCX and RDX. */
export function enableXsave(a: Assembler, xcr0: number): void {
  a.mov(rax, cr4);
  a.or(rax, CR4_OSXSAVE);
  a.mov(cr4, rax);
  a.mov(ecx, 0);
  a.mov(edx, 0);
  a.mov(eax, xcr0);
  a.xsetbv();
}
