/** Control flow, ports, interrupts and the system's instructions (Intel SDM Vol. 2 chapters 3 to 5). */
import type { CodeBits } from './encoder.ts';
import { type Condition, conditionCode } from './integer.ts';
import type { Immediate, LabelAddress, Memory, Register, RegisterOrMemory } from './operands.ts';
import { StringAndStackInstructions } from './string-stack.ts';

type Target = string | RegisterOrMemory;

export class SystemInstructions extends StringAndStackInstructions {
  readonly hlt = this.fixed(0xf4);
  readonly cli = this.fixed(0xfa);
  readonly sti = this.fixed(0xfb);
  readonly int3 = this.fixed(0xcc);
  readonly ud2 = this.fixed(0x0f, 0x0b);
  readonly cpuid = this.fixed(0x0f, 0xa2);
  readonly rdtsc = this.fixed(0x0f, 0x31);
  readonly rdtscp = this.fixed(0x0f, 0x01, 0xf9);
  readonly rdmsr = this.fixed(0x0f, 0x32);
  readonly wrmsr = this.fixed(0x0f, 0x30);
  readonly wbinvd = this.fixed(0x0f, 0x09);
  readonly clts = this.fixed(0x0f, 0x06);
  readonly syscall = this.fixed(0x0f, 0x05);
  readonly sysenter = this.fixed(0x0f, 0x34);
  readonly sysexit = this.fixed(0x0f, 0x35);
  readonly swapgs = this.fixed(0x0f, 0x01, 0xf8);
  readonly stac = this.fixed(0x0f, 0x01, 0xcb);
  readonly clac = this.fixed(0x0f, 0x01, 0xca);
  readonly xgetbv = this.fixed(0x0f, 0x01, 0xd0);
  readonly xsetbv = this.fixed(0x0f, 0x01, 0xd1);
  readonly mfence = this.fixed(0x0f, 0xae, 0xf0);

  readonly lgdt = this.descriptor([0x0f, 0x01], 2);
  readonly lidt = this.descriptor([0x0f, 0x01], 3);
  readonly sgdt = this.descriptor([0x0f, 0x01], 0);
  readonly sidt = this.descriptor([0x0f, 0x01], 1);
  readonly lldt = this.descriptor([0x0f, 0x00], 2);
  readonly ltr = this.descriptor([0x0f, 0x00], 3);
  readonly lmsw = this.descriptor([0x0f, 0x01], 6);
  readonly smsw = this.descriptor([0x0f, 0x01], 4);
  readonly invlpg = this.descriptor([0x0f, 0x01], 7);

  int(vector: number): void {
    this.db(0xcd);
    this.value(vector, 1);
  }

  /** From an interrupt or between privilege levels: as wide as the code, or as asked. */
  iret(bits: CodeBits = this.codeBits): void {
    this.sizePrefixes(bits);
    this.db(0xcf);
  }

  /** Back from SYSCALL to 64-bit code. */
  sysretq(): void {
    this.db(0x48, 0x0f, 0x07);
  }

  /** Back from SYSCALL to 32-bit code. */
  sysretl(): void {
    this.db(0x0f, 0x07);
  }

  /** Back from SYSENTER to 64-bit code. */
  sysexitq(): void {
    this.db(0x48, 0x0f, 0x35);
  }

  readonly rdfsbase = this.segmentBase(0);
  readonly rdgsbase = this.segmentBase(1);
  readonly wrfsbase = this.segmentBase(2);
  readonly wrgsbase = this.segmentBase(3);

  /** The type of invalidation is in the register, the descriptor in memory. */
  invpcid(type: Register, descriptor: Memory): void {
    this.modRm({
      opcode: [0x0f, 0x38, 0x82],
      reg: type.code,
      rm: descriptor,
      bits: 0,
      mandatoryPrefix: 0x66,
    });
  }

  /** From a port named by DX or by a byte. */
  in(destination: Register, port: Register | number): void {
    this.#port(0xe4, destination, port);
  }

  out(port: Register | number, source: Register): void {
    this.#port(0xe6, source, port);
  }

  /** Always in the near form: distances need no guessing. */
  jmp(target: Target): void {
    this.#near(0xe9, target, 4);
  }

  call(target: Target): void {
    this.#near(0xe8, target, 2);
  }

  jcc(condition: Condition, label: string): void {
    this.db(0x0f, 0x80 | conditionCode(condition));
    this.distance(label, this.codeBits === 16 ? 2 : 4);
  }

  /** Decrements CX, ECX or RCX. */
  loop(label: string): void {
    this.db(0xe2);
    this.distance(label, 1);
  }

  ret(): void {
    this.db(0xc3);
  }

  /** Direct far jump; `bits` is the size of the offset, not of the code it leads to. */
  jmpFar(selector: number, offset: Immediate, bits: 16 | 32 = this.codeBits === 16 ? 16 : 32): void {
    if (this.codeBits === 64) throw new Error('64-bit code has no direct far jump');
    this.sizePrefixes(bits);
    this.db(0xea);
    this.value(offset, bits === 16 ? 2 : 4);
    this.value(selector, 2);
  }

  /** Far jump, call through a pointer in memory: an offset of `bits` followed by a selector. */
  jmpFarMemory(pointer: Memory, bits: 16 | 32 | 64 = this.codeBits): void {
    this.modRm({ opcode: [0xff], reg: 5, rm: pointer, bits });
  }

  callFarMemory(pointer: Memory, bits: 16 | 32 | 64 = this.codeBits): void {
    this.modRm({ opcode: [0xff], reg: 3, rm: pointer, bits });
  }

  retFar(bits: CodeBits = this.codeBits): void {
    this.sizePrefixes(bits);
    this.db(0xcb);
  }

  /** `push; retf` to a selector: the far jump of 64-bit code. */
  farReturnTo(selector: number, offset: LabelAddress): void {
    this.push(selector);
    this.push(offset);
    this.retFar();
  }

  protected descriptor(opcode: readonly number[], extension: number): (operand: RegisterOrMemory) => void {
    return (operand) => this.modRm({ opcode, reg: extension, rm: operand, bits: 0 });
  }

  protected segmentBase(extension: number): (register: Register) => void {
    return (register) => {
      const { bits } = register;
      this.modRm({ opcode: [0x0f, 0xae], reg: extension, rm: register, bits, mandatoryPrefix: 0xf3 });
    };
  }

  #port(opcode: number, data: Register, port: Register | number): void {
    if (data.code !== 0 || data.bits === 64) throw new Error('ports are reached through AL, AX and EAX');
    if (typeof port === 'object' && port.name !== 'dx') throw new Error('a port is a byte or DX');
    this.sizePrefixes(data.bits);
    this.db(opcode | (data.bits === 8 ? 0 : 1) | (typeof port === 'object' ? 8 : 0));
    if (typeof port === 'number') this.value(port, 1);
  }

  #near(opcode: number, target: Target, extension: number): void {
    if (typeof target === 'string') {
      this.db(opcode);
      this.distance(target, this.codeBits === 16 ? 2 : 4);
    } else {
      const bits = target.bits === 64 ? 0 : target.bits;
      this.modRm({ opcode: [0xff], reg: extension, rm: target, bits });
    }
  }
}
