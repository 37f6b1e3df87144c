/**
 * Integer instructions (Intel SDM Vol. 2 chapters 3 to 5): moves, arithmetic, shifts and bits.
 * One line an instruction; the methods below say what a family's operands are.
 */
import { Encoder } from './encoder.ts';
import type {
  ControlRegister,
  DebugRegister,
  Immediate,
  OperandBits,
  Register,
  RegisterOrMemory,
  SegmentRegister,
} from './operands.ts';

/** Condition codes in the order of their encodings (Intel SDM Vol. 1 Appendix B "EFLAGS Condition Codes"). */
const CONDITIONS = [
  'o',
  'no',
  'b',
  'ae',
  'e',
  'ne',
  'be',
  'a',
  's',
  'ns',
  'p',
  'np',
  'l',
  'ge',
  'le',
  'g',
] as const;
export type Condition = (typeof CONDITIONS)[number];

export function conditionCode(condition: Condition): number {
  return CONDITIONS.indexOf(condition);
}

type SystemRegister = SegmentRegister | ControlRegister | DebugRegister;
export type Source = RegisterOrMemory | Immediate;

/** What is neither a number nor a label is an operand in a register or in memory. */
export function isOperand(source: Source | SystemRegister): source is RegisterOrMemory | SystemRegister {
  return typeof source === 'object' && source.kind !== 'label';
}

function immediateSize(bits: OperandBits | 0): 1 | 2 | 4 {
  return bits === 8 ? 1 : bits === 16 ? 2 : 4;
}

export class IntegerInstructions extends Encoder {
  readonly add = this.arithmetic(0);
  readonly or = this.arithmetic(1);
  readonly adc = this.arithmetic(2);
  readonly sbb = this.arithmetic(3);
  readonly and = this.arithmetic(4);
  readonly sub = this.arithmetic(5);
  readonly xor = this.arithmetic(6);
  readonly cmp = this.arithmetic(7);

  readonly inc = this.unary(0xfe, 0);
  readonly dec = this.unary(0xfe, 1);
  readonly not = this.unary(0xf6, 2);
  readonly neg = this.unary(0xf6, 3);
  readonly mul = this.unary(0xf6, 4);
  readonly div = this.unary(0xf6, 6);
  readonly idiv = this.unary(0xf6, 7);

  readonly rol = this.shift(0);
  readonly ror = this.shift(1);
  readonly rcl = this.shift(2);
  readonly rcr = this.shift(3);
  readonly shl = this.shift(4);
  readonly shr = this.shift(5);
  readonly sar = this.shift(7);

  readonly bt = this.bitTest(4);
  readonly bts = this.bitTest(5);
  readonly btr = this.bitTest(6);
  readonly btc = this.bitTest(7);
  readonly bsf = this.scan(0xbc);
  readonly bsr = this.scan(0xbd);

  /** Also of segment, control and debug registers; the shortest encoding that holds the immediate. */
  mov(destination: RegisterOrMemory | SystemRegister, source: Source | SystemRegister): void {
    if (isSystem(destination)) this.#movSystem(destination, source, 'to');
    else if (!isOperand(source)) this.#movImmediate(destination, source);
    else if (isSystem(source)) this.#movSystem(source, destination, 'from');
    else this.#movGeneral(destination, source);
  }

  /** MOV r64, imm64. */
  movabs(destination: Register, value: Immediate): void {
    this.sizePrefixes(64, destination.code > 7 ? 1 : 0);
    this.db(0xb8 | (destination.code & 7));
    this.value(value, 8);
  }

  movzx(destination: Register, source: RegisterOrMemory): void {
    this.#extend([0x0f, source.bits === 8 ? 0xb6 : 0xb7], destination, source);
  }

  movsx(destination: Register, source: RegisterOrMemory): void {
    this.#extend([0x0f, source.bits === 8 ? 0xbe : 0xbf], destination, source);
  }

  movsxd(destination: Register, source: RegisterOrMemory): void {
    this.#extend([0x63], destination, source);
  }

  lea(destination: Register, source: RegisterOrMemory): void {
    this.modRm({ opcode: [0x8d], reg: destination.code, rm: source, bits: destination.bits });
  }

  test(destination: RegisterOrMemory, source: Register | Immediate): void {
    if (isOperand(source)) {
      this.#registerForm([0x84], source, destination);
      return;
    }
    const size = immediateSize(destination.bits);
    this.#operandForm(0xf6, 0, destination, size);
    this.value(source, size);
  }

  xchg(destination: RegisterOrMemory, source: Register): void {
    this.#registerForm([0x86], source, destination);
  }

  xadd(destination: RegisterOrMemory, source: Register): void {
    this.#registerForm([0x0f, 0xc0], source, destination);
  }

  cmpxchg(destination: RegisterOrMemory, source: Register): void {
    this.#registerForm([0x0f, 0xb0], source, destination);
  }

  /** Of 8 bytes, or of 16 with a 128-bit address operand: `bits` 64 chooses CMPXCHG16B. */
  cmpxchg8b(destination: RegisterOrMemory): void {
    this.modRm({ opcode: [0x0f, 0xc7], reg: 1, rm: destination, bits: 0 });
  }

  cmpxchg16b(destination: RegisterOrMemory): void {
    this.modRm({ opcode: [0x0f, 0xc7], reg: 1, rm: destination, bits: 64 });
  }

  /** One operand: A × operand. Two: destination × source. Three: source × immediate. */
  imul(destination: RegisterOrMemory, source?: RegisterOrMemory, factor?: number): void {
    if (source === undefined) {
      this.#operandForm(0xf6, 5, destination);
    } else if (factor === undefined) {
      this.modRm({
        opcode: [0x0f, 0xaf],
        reg: registerCode(destination),
        rm: source,
        bits: destination.bits,
      });
    } else {
      const size = immediateSize(destination.bits);
      const reg = registerCode(destination);
      this.modRm({ opcode: [0x69], reg, rm: source, bits: destination.bits, immediateBytes: size });
      this.value(factor, size);
    }
  }

  bswap(register: Register): void {
    this.sizePrefixes(register.bits, register.code > 7 ? 1 : 0);
    this.db(0x0f, 0xc8 | (register.code & 7));
  }

  setcc(condition: Condition, destination: RegisterOrMemory): void {
    const registers = destination.kind === 'register' ? [destination] : [];
    this.modRm({
      opcode: [0x0f, 0x90 | conditionCode(condition)],
      reg: 0,
      rm: destination,
      bits: 0,
      registers,
    });
  }

  cmov(condition: Condition, destination: Register, source: RegisterOrMemory): void {
    const opcode = [0x0f, 0x40 | conditionCode(condition)];
    this.modRm({ opcode, reg: destination.code, rm: source, bits: destination.bits });
  }

  /** CBW, CWDE or CDQE by the size of the result. */
  convertA(bits: 16 | 32 | 64): void {
    this.sizePrefixes(bits);
    this.db(0x98);
  }

  /** CWD, CDQ or CQO by the size of each half. */
  convertDA(bits: 16 | 32 | 64): void {
    this.sizePrefixes(bits);
    this.db(0x99);
  }

  protected arithmetic(extension: number): (destination: RegisterOrMemory, source: Source) => void {
    return (destination, source) => {
      if (!isOperand(source)) this.#arithmeticImmediate(extension, destination, source);
      else if (source.kind === 'register') this.#registerForm([extension << 3], source, destination);
      else this.#registerForm([(extension << 3) | 2], mustBeRegister(destination), source);
    };
  }

  protected unary(opcode: number, extension: number): (operand: RegisterOrMemory) => void {
    return (operand) => this.#operandForm(opcode, extension, operand);
  }

  /** By an immediate count or by CL. */
  protected shift(extension: number): (operand: RegisterOrMemory, count: number | Register) => void {
    return (operand, count) => {
      if (typeof count === 'number') {
        this.#operandForm(0xc0, extension, operand, 1);
        this.value(count, 1);
      } else {
        if (count.name !== 'cl') throw new Error('a shift counts by CL');
        this.#operandForm(0xd2, extension, operand);
      }
    };
  }

  protected bitTest(extension: number): (operand: RegisterOrMemory, bit: number | Register) => void {
    return (operand, bit) => {
      if (typeof bit === 'number') {
        const bits = operand.bits;
        this.modRm({ opcode: [0x0f, 0xba], reg: extension, rm: operand, bits, immediateBytes: 1 });
        this.value(bit, 1);
      } else {
        this.modRm({ opcode: [0x0f, 0x83 | (extension << 3)], reg: bit.code, rm: operand, bits: bit.bits });
      }
    };
  }

  protected scan(opcode: number): (destination: Register, source: RegisterOrMemory) => void {
    return (destination, source) => {
      this.modRm({ opcode: [0x0f, opcode], reg: destination.code, rm: source, bits: destination.bits });
    };
  }

  #arithmeticImmediate(extension: number, destination: RegisterOrMemory, value: Immediate): void {
    const short = destination.bits !== 8 && fitsSignedByte(value, destination.bits);
    const size = short ? 1 : immediateSize(destination.bits);
    const registers = destination.kind === 'register' ? [destination] : [];
    const opcode = [destination.bits === 8 ? 0x80 : short ? 0x83 : 0x81];
    const bits = destination.bits;
    this.modRm({ opcode, reg: extension, rm: destination, bits, registers, immediateBytes: size });
    this.value(short ? BigInt.asIntN(8, BigInt(value as number | bigint)) : value, size);
  }

  #movImmediate(destination: RegisterOrMemory, value: Immediate): void {
    if (destination.kind === 'register' && destination.bits !== 64) {
      const rex = destination.code > 7 ? 1 : destination.rex === 'needed' ? 0x40 : 0;
      this.sizePrefixes(destination.bits, rex);
      this.db((destination.bits === 8 ? 0xb0 : 0xb8) | (destination.code & 7));
      this.value(value, immediateSize(destination.bits));
    } else if (destination.kind === 'register' && !fitsSigned32(value)) {
      this.movabs(destination, value);
    } else {
      const size = immediateSize(destination.bits);
      this.#operandForm(0xc6, 0, destination, size);
      this.value(value, size);
    }
  }

  #movGeneral(destination: RegisterOrMemory, source: RegisterOrMemory): void {
    if (source.kind === 'register') this.#registerForm([0x88], source, destination);
    else this.#registerForm([0x8a], mustBeRegister(destination), source);
  }

  #movSystem(system: SystemRegister, other: Source | SystemRegister, direction: 'to' | 'from'): void {
    if (!isOperand(other) || isSystem(other)) throw new Error(`MOV ${system.name} needs a general register`);
    if (system.kind === 'segment') {
      // A store to memory is always of 16 bits, and so is every load.
      const bits = direction === 'from' && other.kind === 'register' ? other.bits : 0;
      this.modRm({ opcode: [direction === 'to' ? 0x8e : 0x8c], reg: system.code, rm: other, bits });
    } else {
      const opcode = (system.kind === 'control' ? 0x20 : 0x21) | (direction === 'to' ? 2 : 0);
      this.modRm({ opcode: [0x0f, opcode], reg: system.code, rm: other, bits: 0 });
    }
  }

  #extend(opcode: readonly number[], destination: Register, source: RegisterOrMemory): void {
    const registers = source.kind === 'register' ? [source] : [];
    this.modRm({ opcode, reg: destination.code, rm: source, bits: destination.bits, registers });
  }

  /** Opcodes in pairs: the even one for bytes, the odd one for wider operands. */
  #registerForm(opcode: readonly number[], register: Register, rm: RegisterOrMemory): void {
    if (rm.bits !== 0 && rm.bits !== register.bits)
      throw new Error(`${register.name} and its operand differ in size`);
    const registers = rm.kind === 'register' ? [register, rm] : [register];
    this.modRm({
      opcode: widened(opcode, register.bits),
      reg: register.code,
      rm,
      bits: register.bits,
      registers,
    });
  }

  #operandForm(opcode: number, extension: number, rm: RegisterOrMemory, immediateBytes = 0): void {
    if (rm.bits === 0) throw new Error('the operand needs a size');
    const registers = rm.kind === 'register' ? [rm] : [];
    this.modRm({
      opcode: widened([opcode], rm.bits),
      reg: extension,
      rm,
      bits: rm.bits,
      registers,
      immediateBytes,
    });
  }
}

function isSystem(operand: Source | SystemRegister): operand is SystemRegister {
  if (!isOperand(operand)) return false;
  return operand.kind === 'segment' || operand.kind === 'control' || operand.kind === 'debug';
}

function widened(opcode: readonly number[], bits: OperandBits): number[] {
  const last = opcode.at(-1) ?? 0;
  return [...opcode.slice(0, -1), bits === 8 ? last : last | 1];
}

function mustBeRegister(operand: RegisterOrMemory): Register {
  if (operand.kind !== 'register') throw new Error('one of the operands must be a register');
  return operand;
}

function registerCode(operand: RegisterOrMemory): number {
  return mustBeRegister(operand).code;
}

/** Also the unsigned spelling of a small negative value of this width: 0xffff as -1 of 16 bits. */
function fitsSignedByte(value: Immediate, bits: OperandBits | 0): boolean {
  if (typeof value === 'object') return false;
  const signed = BigInt.asIntN(bits === 0 ? 64 : bits, BigInt(value));
  return signed >= -128n && signed <= 127n;
}

/** Whether a 64-bit register can take the value as a sign-extended immediate of 32 bits. */
function fitsSigned32(value: Immediate): boolean {
  if (typeof value === 'object') return true;
  const signed = BigInt.asIntN(64, BigInt(value));
  return signed === BigInt.asIntN(32, signed);
}
