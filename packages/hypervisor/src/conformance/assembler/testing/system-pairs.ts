/** System, x87 and SSE instructions of ours beside the same in GNU's Intel syntax, by the modes that have them. */
import type { Assembler, CodeBits } from '../../assembler.ts';
import * as x from '../../assembler.ts';

/** An instruction in GNU's Intel syntax, and ours. */
export type Pair = readonly [text: string, write: (a: Assembler) => void];

export function systemPairs(bits: CodeBits): readonly Pair[] {
  return bits === 64 ? [...everywhere(bits), ...LONG] : [...everywhere(bits), ...LEGACY];
}

function everywhere(bits: CodeBits): Pair[] {
  const base = bits === 16 ? x.bx : bits === 32 ? x.ebx : x.rbx;
  return [
    ['in al, 0x60', (a) => a.in(x.al, 0x60)],
    ['in ax, dx', (a) => a.in(x.ax, x.dx)],
    ['in eax, 0x71', (a) => a.in(x.eax, 0x71)],
    ['out 0x60, al', (a) => a.out(0x60, x.al)],
    ['out dx, ax', (a) => a.out(x.dx, x.ax)],
    ['out dx, eax', (a) => a.out(x.dx, x.eax)],
    ['int 0x80', (a) => a.int(0x80)],
    ['int3', (a) => a.int3()],
    ['hlt', (a) => a.hlt()],
    ['mov ds, ax', (a) => a.mov(x.ds, x.ax)],
    ['mov eax, fs', (a) => a.mov(x.eax, x.fs)],
    [`mov word ptr [${base.name}], es`, (a) => a.mov(x.word(base), x.es)],
    ['push fs', (a) => a.push(x.fs)],
    ['pop gs', (a) => a.pop(x.gs)],
    ['pause', (a) => a.pause()],
    ['wrmsr', (a) => a.wrmsr()],
    [`lgdt [${base.name}]`, (a) => a.lgdt(x.at(base))],
    [`sidt [${base.name}+4]`, (a) => a.sidt(x.at(base, 4))],
    ['ltr ax', (a) => a.ltr(x.ax)],
    ['lldt ax', (a) => a.lldt(x.ax)],
    [`invlpg [${base.name}]`, (a) => a.invlpg(x.at(base))],
    ['cpuid', (a) => a.cpuid()],
    ['rdtsc', (a) => a.rdtsc()],
    ['sti', (a) => a.sti()],
    ['ud2', (a) => a.ud2()],
    ['ret', (a) => a.ret()],
    [`jmp ${base.name}`, (a) => a.jmp(base)],
    [`call ${base.name}`, (a) => a.call(base)],
    [`push ${base.name}`, (a) => a.push(base)],
    [`pop ${base.name}`, (a) => a.pop(base)],
    ['xgetbv', (a) => a.xgetbv()],
  ];
}

const LEGACY: readonly Pair[] = [
  ['mov cr0, eax', (a) => a.mov(x.cr0, x.eax)],
  ['mov eax, cr3', (a) => a.mov(x.eax, x.cr3)],
  ['mov dr7, eax', (a) => a.mov(x.dr7, x.eax)],
  ['push ds', (a) => a.push(x.ds)],
  ['pop es', (a) => a.pop(x.es)],
  ['iret', (a) => a.iret()],
  ['pushf', (a) => a.pushf()],
  ['popf', (a) => a.popf()],
  ['cwde', (a) => a.convertA(32)],
  ['cdq', (a) => a.convertDA(32)],
];

const LONG: readonly Pair[] = [
  ['mov cr8, rax', (a) => a.mov(x.cr8, x.rax)],
  ['mov rax, cr0', (a) => a.mov(x.rax, x.cr0)],
  ['mov dr7, rax', (a) => a.mov(x.dr7, x.rax)],
  ['iretq', (a) => a.iret(64)],
  ['push r12', (a) => a.push(x.r12)],
  ['pop r13', (a) => a.pop(x.r13)],
  ['push qword ptr [rbx]', (a) => a.push(x.qword(x.rbx))],
  ['push 0x1234', (a) => a.push(0x1234)],
  ['pushfq', (a) => a.pushf()],
  ['cqo', (a) => a.convertDA(64)],
  ['cdqe', (a) => a.convertA(64)],
  ['sysretq', (a) => a.sysretq()],
  ['syscall', (a) => a.syscall()],
  ['swapgs', (a) => a.swapgs()],
  ['invpcid rcx, [rdi]', (a) => a.invpcid(x.rcx, x.at(x.rdi))],
  ['stac', (a) => a.stac()],
  ['clac', (a) => a.clac()],
  ['sysexitd', (a) => a.sysexit()],
  ['retfq', (a) => a.retFar()],
  ['jmp fword ptr [rbx]', (a) => a.jmpFarMemory(x.at(x.rbx), 32)],
  ['movsxd rax, ecx', (a) => a.movsxd(x.rax, x.ecx)],
  ['movzx r12, byte ptr [rcx]', (a) => a.movzx(x.r12, x.byte(x.rcx))],
  ['cmpxchg8b [rsi]', (a) => a.cmpxchg8b(x.at(x.rsi))],
  ['cmpxchg16b [rsi]', (a) => a.cmpxchg16b(x.at(x.rsi))],
  ['movups xmm0, [rdi]', (a) => a.movups(x.xmm0, x.at(x.rdi))],
  ['movups [rdi], xmm8', (a) => a.movups(x.at(x.rdi), x.xmm8)],
  ['movaps xmm0, xmm8', (a) => a.movaps(x.xmm0, x.xmm8)],
  ['movdqu [rdi], xmm0', (a) => a.movdqu(x.at(x.rdi), x.xmm0)],
  ['pxor xmm0, xmm8', (a) => a.pxor(x.xmm0, x.xmm8)],
  ['paddq xmm1, xmm2', (a) => a.paddq(x.xmm1, x.xmm2)],
  ['addps xmm8, [rsi]', (a) => a.addps(x.xmm8, x.at(x.rsi))],
  ['sqrtpd xmm1, xmm3', (a) => a.sqrtpd(x.xmm1, x.xmm3)],
  ['movq xmm0, rax', (a) => a.movq(x.xmm0, x.rax)],
  ['vmovdqu ymm0, [rsi]', (a) => a.vmovdqu('load', x.xmm0, x.at(x.rsi))],
  ['vmovdqu [rsi+64], ymm0', (a) => a.vmovdqu('store', x.xmm0, x.at(x.rsi, 64))],
  ['fxsave [rdi]', (a) => a.fxsave(x.at(x.rdi))],
  ['fxrstor [rdi]', (a) => a.fxrstor(x.at(x.rdi))],
  ['xsave [rdi]', (a) => a.xsave(x.at(x.rdi))],
  ['xrstor [rdi]', (a) => a.xrstor(x.at(x.rdi))],
  ['fld tbyte ptr [rdi]', (a) => a.fldExtended(x.at(x.rdi))],
  ['fstp tbyte ptr [rdi]', (a) => a.fstpExtended(x.at(x.rdi))],
  ['fstp qword ptr [rdi]', (a) => a.fstpDouble(x.at(x.rdi))],
  ['fldpi', (a) => a.fldpi()],
  ['faddp', (a) => a.faddp()],
  ['fmulp', (a) => a.fmulp()],
  ['stmxcsr [rdi]', (a) => a.stmxcsr(x.at(x.rdi))],
  ['ldmxcsr [rdi]', (a) => a.ldmxcsr(x.at(x.rdi))],
  ['fnstcw [rdi]', (a) => a.fnstcw(x.at(x.rdi))],
];
