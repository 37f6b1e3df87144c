/** The few x87, SSE and AVX instructions that conformance guests show their registers with (Intel SDM Vol. 2). */
import type { Memory, RegisterOrMemory, VectorRegister } from './operands.ts';
import { SystemInstructions } from './system.ts';

type VectorSource = VectorRegister | Memory;

export class VectorInstructions extends SystemInstructions {
  readonly fninit = this.fixed(0xdb, 0xe3);
  readonly fld1 = this.fixed(0xd9, 0xe8);
  readonly fldpi = this.fixed(0xd9, 0xeb);
  readonly fldz = this.fixed(0xd9, 0xee);
  /** ST(1) ← ST(1) + ST(0), and pops. */
  readonly faddp = this.fixed(0xde, 0xc1);
  readonly fmulp = this.fixed(0xde, 0xc9);
  readonly fwait = this.fixed(0x9b);
  readonly emms = this.fixed(0x0f, 0x77);
  readonly vzeroupper = this.fixed(0xc5, 0xf8, 0x77);

  readonly fldcw = this.descriptor([0xd9], 5);
  readonly fnstcw = this.descriptor([0xd9], 7);
  readonly fnstsw = this.descriptor([0xdd], 7);
  /** Of 64 and of 80 bits. */
  readonly fldDouble = this.descriptor([0xdd], 0);
  readonly fstpDouble = this.descriptor([0xdd], 3);
  readonly fldExtended = this.descriptor([0xdb], 5);
  readonly fstpExtended = this.descriptor([0xdb], 7);
  readonly ldmxcsr = this.descriptor([0x0f, 0xae], 2);
  readonly stmxcsr = this.descriptor([0x0f, 0xae], 3);
  readonly fxsave = this.descriptor([0x0f, 0xae], 0);
  readonly fxrstor = this.descriptor([0x0f, 0xae], 1);
  readonly xsave = this.descriptor([0x0f, 0xae], 4);
  readonly xrstor = this.descriptor([0x0f, 0xae], 5);

  readonly paddq = this.packed(0xd4, 0x66);
  readonly paddd = this.packed(0xfe, 0x66);
  readonly pxor = this.packed(0xef, 0x66);
  readonly pcmpeqd = this.packed(0x76, 0x66);
  readonly addps = this.packed(0x58);
  readonly mulps = this.packed(0x59);
  readonly addpd = this.packed(0x58, 0x66);
  readonly sqrtpd = this.packed(0x51, 0x66);

  /** Unaligned, to or from memory. */
  movups(destination: VectorSource, source: VectorSource): void {
    this.#move(0x10, undefined, destination, source);
  }

  /** Aligned: #GP on an address that is not a multiple of 16. */
  movaps(destination: VectorSource, source: VectorSource): void {
    this.#move(0x28, undefined, destination, source);
  }

  movdqu(destination: VectorSource, source: VectorSource): void {
    if (destination.kind === 'memory') this.#sse(0x7f, 0xf3, source, destination);
    else this.#sse(0x6f, 0xf3, destination, source);
  }

  /** MOVQ between an XMM and a general register of 64 bits. */
  movq(destination: VectorRegister, source: RegisterOrMemory): void {
    this.modRm({ opcode: [0x0f, 0x6e], reg: destination.code, rm: source, bits: 64, mandatoryPrefix: 0x66 });
  }

  /** VMOVDQU of a YMM register, 0 to 7, to or from a base register below R8. */
  vmovdqu(direction: 'load' | 'store', register: VectorRegister, memory: Memory): void {
    if (register.code > 7 || (memory.base?.code ?? 0) > 7)
      throw new Error('VEX extension bits are not encoded');
    this.db(0xc5, 0xfe); // two-byte VEX: L = 1 (256 bits), pp = F3h
    this.modRm({ opcode: [direction === 'load' ? 0x6f : 0x7f], reg: register.code, rm: memory, bits: 0 });
  }

  protected packed(opcode: number, prefix?: number) {
    return (destination: VectorRegister, source: VectorSource): void => {
      this.#sse(opcode, prefix, destination, source);
    };
  }

  #move(opcode: number, prefix: number | undefined, destination: VectorSource, source: VectorSource): void {
    if (destination.kind === 'memory') this.#sse(opcode | 1, prefix, source, destination);
    else this.#sse(opcode, prefix, destination, source);
  }

  #sse(opcode: number, prefix: number | undefined, register: VectorSource, rm: VectorSource): void {
    if (register.kind !== 'vector') throw new Error('one of the operands must be an XMM register');
    const mandatoryPrefix = prefix === undefined ? {} : { mandatoryPrefix: prefix };
    this.modRm({ opcode: [0x0f, opcode], reg: register.code, rm, bits: 0, ...mandatoryPrefix });
  }
}
