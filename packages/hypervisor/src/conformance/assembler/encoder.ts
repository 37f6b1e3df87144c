/**
 * Bytes, labels and operand encodings: prefixes, ModR/M, SIB and displacements (Intel SDM Vol. 2A §2.1 "Instruction
 * Format for Protected Mode, Real-Address Mode, and Virtual-8086 Mode", §2.2 "IA-32e Mode").
 */
import type {
  Immediate,
  Memory,
  OperandBits,
  Register,
  RegisterOrMemory,
  VectorRegister,
} from './operands.ts';

/** The default operand and address size of the code segment the bytes will run in. */
export type CodeBits = 16 | 32 | 64;

export interface Program {
  readonly bytes: Uint8Array;
  /** Address of the first byte. */
  readonly origin: number;
  /** @throws Error when the program has no such label. */
  address(label: string): number;
}

interface Fixup {
  readonly label: string;
  readonly position: number;
  readonly sizeBytes: 1 | 2 | 4 | 8;
  /** For relative ones, where the instruction ends. */
  readonly relativeTo: number | undefined;
  readonly addend: number;
}

/** How an instruction with a ModR/M byte is put together. */
export interface ModRmOptions {
  /** Opcode bytes, after the prefixes. */
  readonly opcode: readonly number[];
  /** The reg field: a register's code or an opcode extension. */
  readonly reg: number;
  readonly rm: RegisterOrMemory | VectorRegister;
  /** Operand size, for the 66h prefix and REX.W; 0 for neither. */
  readonly bits: OperandBits | 0;
  /** 66h, F2h or F3h where the opcode includes one. */
  readonly mandatoryPrefix?: number;
  /** 8-bit registers among the operands, which may need or forbid REX. */
  readonly registers?: readonly Register[];
  /** Bytes that follow the displacement: RIP-relative addresses count from the instruction's end. */
  readonly immediateBytes?: number;
}

const REX = 0x40;
const REX_W = 8;
const OPERAND_SIZE_PREFIX = 0x66;
const ADDRESS_SIZE_PREFIX = 0x67;

/** ModR/M r/m fields of 16-bit addresses by their registers (Intel SDM Vol. 2A Table 2-1). */
const SIXTEEN_BIT_FORMS = new Map([
  ['bx+si', 0],
  ['bx+di', 1],
  ['bp+si', 2],
  ['bp+di', 3],
  ['si', 4],
  ['di', 5],
  ['bp', 6],
  ['bx', 7],
]);

export class Encoder {
  readonly origin: number;
  #bits: CodeBits;
  readonly #bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: Fixup[] = [];

  constructor(origin: number, bits: CodeBits) {
    this.origin = origin;
    this.#bits = bits;
  }

  /** Where the next byte goes. */
  get here(): number {
    return this.origin + this.#bytes.length;
  }

  get codeBits(): CodeBits {
    return this.#bits;
  }

  /** What follows will run in a code segment of this size: after a mode switch. */
  bits(bits: CodeBits): void {
    this.#bits = bits;
  }

  label(name: string): void {
    if (this.#labels.has(name)) throw new Error(`label ${name} is defined twice`);
    this.#labels.set(name, this.here);
  }

  /** Raw bytes. */
  db(...values: readonly number[]): void {
    this.#bytes.push(...values);
  }

  dw(...values: readonly Immediate[]): void {
    for (const value of values) this.value(value, 2);
  }

  dd(...values: readonly Immediate[]): void {
    for (const value of values) this.value(value, 4);
  }

  dq(...values: readonly Immediate[]): void {
    for (const value of values) this.value(value, 8);
  }

  ascii(text: string): void {
    for (const character of text) this.#bytes.push(character.charCodeAt(0));
  }

  /** Fills up to a multiple of `lengthBytes`, counted from address 0. */
  align(lengthBytes: number, filler = 0x90): void {
    while (this.here % lengthBytes !== 0) this.#bytes.push(filler);
  }

  /** Fills up to an address. */
  org(address: number, filler = 0x90): void {
    if (address < this.here) throw new Error(`org 0x${address.toString(16)} lies behind`);
    while (this.here < address) this.#bytes.push(filler);
  }

  finish(): Program {
    for (const fixup of this.#fixups) this.#patch(fixup);
    const labels = this.#labels;
    return {
      bytes: Uint8Array.from(this.#bytes),
      origin: this.origin,
      address(label) {
        const address = labels.get(label);
        if (address === undefined) throw new Error(`no label ${label}`);
        return address;
      },
    };
  }

  /** An instruction without operands. */
  protected fixed(...bytes: readonly number[]): () => void {
    return () => this.db(...bytes);
  }

  /** A little-endian value, signed or unsigned, or the address of a label. */
  protected value(value: Immediate, sizeBytes: 1 | 2 | 4 | 8): void {
    if (typeof value === 'object') {
      const position = this.#bytes.length;
      this.#fixups.push({ label: value.name, position, sizeBytes, relativeTo: undefined, addend: 0 });
    }
    const number = typeof value === 'object' ? 0n : BigInt(value);
    checkFits(number, sizeBytes);
    for (let i = 0; i < sizeBytes; i++) this.#bytes.push(Number((number >> BigInt(8 * i)) & 0xffn));
  }

  /** The distance from the end of the instruction, which ends with it, to a label. */
  protected distance(label: string, sizeBytes: 1 | 2 | 4): void {
    const position = this.#bytes.length;
    this.#fixups.push({ label, position, sizeBytes, relativeTo: this.here + sizeBytes, addend: 0 });
    for (let i = 0; i < sizeBytes; i++) this.#bytes.push(0);
  }

  /** Operand-size prefix and REX.W for instructions without ModR/M. */
  protected sizePrefixes(bits: OperandBits | 0, rex = 0): void {
    if (needsOperandSizePrefix(bits, this.#bits)) this.db(OPERAND_SIZE_PREFIX);
    const allRex = rex | (bits === 64 ? REX_W : 0);
    if (allRex !== 0) this.#rex(allRex);
  }

  /** Address-size prefix for the implicit operands of string instructions. */
  protected addressPrefix(addressBits: CodeBits): void {
    if (addressBits !== this.#bits) this.db(ADDRESS_SIZE_PREFIX);
  }

  protected modRm(options: ModRmOptions): void {
    const { rm, reg, bits, opcode, mandatoryPrefix } = options;
    if (rm.kind === 'memory') this.#memoryPrefixes(rm);
    if (needsOperandSizePrefix(bits, this.#bits)) this.db(OPERAND_SIZE_PREFIX);
    if (mandatoryPrefix !== undefined) this.db(mandatoryPrefix);
    this.#rexFor(options);
    this.db(...opcode);
    const regField = (reg & 7) << 3;
    if (rm.kind !== 'memory') this.db(0xc0 | regField | (rm.code & 7));
    else if (addressBits(rm, this.#bits) === 16) this.#address16(rm, regField);
    else this.#address(rm, regField, options.immediateBytes ?? 0);
  }

  #memoryPrefixes(memory: Memory): void {
    if (memory.segment !== undefined) this.db(memory.segment.prefix);
    if (addressBits(memory, this.#bits) !== this.#bits) this.db(ADDRESS_SIZE_PREFIX);
  }

  #rexFor({ rm, reg, bits, registers = [] }: ModRmOptions): void {
    let rex = bits === 64 ? REX_W : 0;
    if (reg > 7) rex |= 4;
    if (rm.kind !== 'memory' && rm.code > 7) rex |= 1;
    if (rm.kind === 'memory' && (rm.base?.code ?? 0) > 7) rex |= 1;
    if (rm.kind === 'memory' && (rm.index?.code ?? 0) > 7) rex |= 2;
    const needed = rex !== 0 || registers.some((register) => register.rex === 'needed');
    if (!needed) return;
    const forbidding = registers.find((register) => register.rex === 'forbidden');
    if (forbidding) throw new Error(`${forbidding.name} cannot be encoded with a REX prefix`);
    this.#rex(rex);
  }

  #rex(rex: number): void {
    if (this.#bits !== 64) throw new Error('64-bit operands and registers need 64-bit code');
    this.db(REX | rex);
  }

  #address16(memory: Memory, regField: number): void {
    const { base, index, displacement = 0, label } = memory;
    if (base === undefined) {
      this.db(regField | 6);
      this.#displacement(displacement, label, 2);
      return;
    }
    const form = SIXTEEN_BIT_FORMS.get(index ? `${base.name}+${index.name}` : base.name);
    if (form === undefined) throw new Error('no such 16-bit address');
    const mod = label === undefined ? shortestMod(displacement, form === 6) : 2;
    this.db((mod << 6) | regField | form);
    if (mod === 1) this.value(displacement, 1);
    if (mod === 2) this.#displacement(displacement, label, 2);
  }

  #address(memory: Memory, regField: number, immediateBytes: number): void {
    const { base, index, scale = 1, displacement = 0, label } = memory;
    if (base === undefined && index === undefined) {
      this.#absolute(memory, regField, immediateBytes);
      return;
    }
    if (index?.code === 4) throw new Error(`${index.name} cannot be an index`);
    const mod =
      base === undefined ? 0 : label !== undefined ? 2 : shortestMod(displacement, (base.code & 7) === 5);
    const needsSib = index !== undefined || base === undefined || (base.code & 7) === 4;
    this.db((mod << 6) | regField | (needsSib ? 4 : base.code & 7));
    if (needsSib) {
      const baseField = base === undefined ? 5 : base.code & 7;
      this.db((Math.log2(scale) << 6) | ((index === undefined ? 4 : index.code & 7) << 3) | baseField);
    }
    if (mod === 1) this.value(displacement, 1);
    if (mod === 2 || base === undefined) this.#displacement(displacement, label, 4);
  }

  #absolute({ displacement = 0, label }: Memory, regField: number, immediateBytes: number): void {
    if (this.#bits !== 64) {
      this.db(regField | 5);
      this.#displacement(displacement, label, 4);
    } else if (label !== undefined) {
      this.db(regField | 5);
      const relativeTo = this.here + 4 + immediateBytes;
      const position = this.#bytes.length;
      this.#fixups.push({ label, position, sizeBytes: 4, relativeTo, addend: displacement });
      this.value(0, 4);
    } else {
      // Mod 0 with r/m 5 is RIP-relative here; a SIB byte without base and index is absolute.
      this.db(regField | 4, 0x25);
      this.#displacement(displacement, undefined, 4);
    }
  }

  #displacement(displacement: number, label: string | undefined, sizeBytes: 2 | 4): void {
    if (label !== undefined) {
      const position = this.#bytes.length;
      this.#fixups.push({ label, position, sizeBytes, relativeTo: undefined, addend: displacement });
    }
    this.value(label === undefined ? displacement : 0, sizeBytes);
  }

  #patch({ label, position, sizeBytes, relativeTo, addend }: Fixup): void {
    const target = this.#labels.get(label);
    if (target === undefined) throw new Error(`label ${label} is not defined`);
    const value = BigInt(target + addend - (relativeTo ?? 0));
    // A distance of 16 bits wraps within the segment; the others must fit.
    if (relativeTo !== undefined && sizeBytes < 4) checkFitsSigned(value, sizeBytes);
    else checkFits(value, sizeBytes);
    for (let i = 0; i < sizeBytes; i++) this.#bytes[position + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }
}

/** 16 for 16-bit bases, and so on; absolute addresses that the default size cannot hold take 32 bits. */
function addressBits(memory: Memory, codeBits: CodeBits): CodeBits {
  const register = memory.base ?? memory.index;
  if (register !== undefined) {
    if (register.bits === 8) throw new Error(`${register.name} cannot address memory`);
    return register.bits;
  }
  const displacement = memory.displacement ?? 0;
  if (memory.label !== undefined) return codeBits;
  // 64-bit code sign-extends a 32-bit displacement: an address in the upper half of 4 GiB needs 32-bit addressing.
  if (codeBits === 64) return displacement > 0x7fff_ffff ? 32 : 64;
  return codeBits === 16 && displacement > 0xffff ? 32 : codeBits;
}

function needsOperandSizePrefix(bits: OperandBits | 0, codeBits: CodeBits): boolean {
  return (bits === 16 && codeBits !== 16) || (bits === 32 && codeBits === 16);
}

function shortestMod(displacement: number, needsDisplacement: boolean): 0 | 1 | 2 {
  if (displacement === 0 && !needsDisplacement) return 0;
  return displacement >= -128 && displacement <= 127 ? 1 : 2;
}

function checkFits(value: bigint, sizeBytes: number): void {
  const bits = BigInt(8 * sizeBytes);
  if (value >= 1n << bits || value < -(1n << (bits - 1n))) {
    throw new Error(`0x${value.toString(16)} does not fit ${sizeBytes} bytes`);
  }
}

function checkFitsSigned(value: bigint, sizeBytes: number): void {
  if (BigInt.asIntN(8 * sizeBytes, value) !== value) {
    throw new Error(`a distance of ${value} bytes does not fit ${sizeBytes}`);
  }
}
