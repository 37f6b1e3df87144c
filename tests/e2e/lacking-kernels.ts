/** Kernels that execute what the engine lacks, entered as hostile-kernels.ts says, and end by the debug-exit device. */
import { type Assembler, al, dx, ebx, edx, esp } from '@vireo/hypervisor/conformance/assembler';
import { DEBUG_EXIT_PORT } from '@vireo/vmm/machine/ports';
import { type HostileKernel, kernel, loadTables, putTables, STACK_GPA } from './hostile-kernels.ts';

/** Each of as many bytes as the handler of #UD steps over. */
const VADDPS = [0xc5, 0xf8, 0x58, 0xc1];
/** XSHA1, which VIA's processors had (0F A6 C8), and NOP. */
const XSHA1 = [0x0f, 0xa6, 0xc8, 0x90];
const UD2 = [0x0f, 0x0b, 0x90, 0x90];
/** POP EAX; ADD EAX, 4; ADD ESP, 8; JMP EAX. */
const STEP_OVER = [0x58, 0x83, 0xc0, 0x04, 0x83, 0xc4, 0x08, 0xff, 0xe0];

function lackingKernel(does: string, write: (a: Assembler) => void): HostileKernel {
  return kernel(does, (a) => {
    a.mov(esp, STACK_GPA);
    loadTables(a);
    write(a);
    a.mov(edx, DEBUG_EXIT_PORT);
    a.mov(al, 0);
    a.out(dx, al);
    a.label('handler');
    a.db(...STEP_OVER);
    putTables(a);
  });
}

/** Again and again. */
export const FEW_LACKING = lackingKernel('an AVX instruction, one of VIAs and UD2', (a) => {
  a.mov(ebx, 0);
  a.label('again');
  a.db(...VADDPS, ...XSHA1, ...UD2);
  a.inc(ebx);
  a.cmp(ebx, 100);
  a.jcc('ne', 'again');
});

export const MANY_LACKING = lackingKernel('an AVX instruction at each of many places', (a) => {
  for (let place = 0; place < 4096; place++) a.db(...VADDPS);
});
