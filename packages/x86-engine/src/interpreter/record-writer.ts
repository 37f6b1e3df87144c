/** Writes decoded instructions into the engine's memory, as the records that handlers read (record.ts). */
import type { Decoded, MemoryForm, ModeBits, OperandSpec } from '@vireo/x86-isa';
import { MMX_STRIDE_BYTES, offsetOf, XMM_STRIDE_BYTES } from '../cpu-state.ts';
import { RECORD, RECORD_BYTES } from '../record.ts';
import { type RmKind, VariantIndex, type VariantWish } from './variants.ts';

const BYTES_OF_SEGMENT_BASE = 8;
/** Registers 4 to 7 of 8 bits without REX: AH, CH, DH, BH. */
const FIRST_HIGH_BYTE = 4;
const RSP = 4;
const RBP = 5;
/** Segment registers' numbers, and the place of a segment without a base. */
const SS = 2;
const DS = 3;
const NO_SEGMENT = 6;

export class RecordWriter {
  readonly #view: DataView;
  readonly #state: number;
  readonly #variants: VariantIndex;

  /** `state`: the address of the vCPU's state. */
  constructor(memory: ArrayBufferLike, state: number, variants = new VariantIndex()) {
    this.#view = new DataView(memory);
    this.#state = state;
    this.#variants = variants;
  }

  /** @returns the address after it */
  write(record: number, decoded: Decoded, ripDelta: number, modeBits: ModeBits): number {
    const { encoding, operandBits, lock, modrm, lengthBytes } = decoded;
    const isRegister = typeof modrm?.rm === 'number' && !encoding.addressed;
    const rm: RmKind = isRegister ? 'register' : `memory${decoded.addressBits}`;
    const usesRm = encoding.operands.some(({ source }) => source.startsWith('rm') || source === 'offset');
    const repeat: VariantWish['repeat'] = (encoding.repeatable && decoded.repeat) || 'none';
    const variant = { operandBits, lock, repeat, ...((usesRm || encoding.addressed) && { rm }) };
    const view = this.#view;
    view.setUint32(record + RECORD.handler, this.#variants.find(encoding, variant), true);
    view.setUint16(record + RECORD.register, this.#registerOperand(decoded), true);
    view.setUint16(record + RECORD.rm, this.#rmOperand(decoded), true);
    view.setUint8(record + RECORD.lengthBytes, lengthBytes);
    view.setInt32(record + RECORD.ripDelta, ripDelta, true);
    this.#writeImmediate(record + RECORD.immediate, decoded.immediate ?? x87Opcode(decoded));
    if (decoded.vex) this.#writeVvvv(record, encoding.operands, decoded.vex.vvvv);
    const form = typeof modrm?.rm === 'object' ? modrm.rm : impliedForm(decoded);
    const popped = form?.base === RSP && decoded.instruction.mnemonic === 'POP' ? operandBits / 8 : 0;
    if (form) this.#writeForm(record, form, ripDelta + lengthBytes, popped);
    if (form || encoding.addressed || encoding.operands.some(({ source }) => source === 'offset'))
      view.setUint16(record + RECORD.segmentBase, this.#segmentBase(decoded, form, modeBits), true);
    return record + RECORD_BYTES;
  }

  #writeImmediate(at: number, immediate: number | bigint): void {
    if (typeof immediate === 'bigint') {
      this.#view.setBigInt64(at, immediate, true);
      return;
    }
    this.#view.setInt32(at, immediate, true);
    this.#view.setInt32(at + 4, immediate < 0 ? -1 : 0, true);
  }

  #writeVvvv(record: number, operands: readonly OperandSpec[], number: number): void {
    const operand = operands.find(({ source }) => source === 'vvvv');
    if (operand === undefined) return;
    this.#view.setUint16(record + RECORD.vvvv, this.#registerAddress(operand, number, true), true);
  }

  /** Ends a stretch of records, at an address, with one of the handlers that are for this. @returns the address after it */
  end(record: number, handler: number, ripDelta: number): number {
    this.#view.setUint32(record + RECORD.handler, handler, true);
    this.#view.setUint8(record + RECORD.lengthBytes, 0);
    this.#view.setInt32(record + RECORD.ripDelta, ripDelta, true);
    return record + RECORD_BYTES;
  }

  /** `nextRipDelta`: from the code base to the next instruction. `popped`: by how much POP will have moved RSP. */
  #writeForm(record: number, form: MemoryForm, nextRipDelta: number, popped: number): void {
    const view = this.#view;
    const register = (number: number | undefined) =>
      this.#state + (number === undefined ? offsetOf('zero') : offsetOf('general') + number * 8);
    const base = form.ripRelative ? this.#state + offsetOf('codeBase') : register(form.base);
    view.setUint16(record + RECORD.base, base, true);
    view.setUint16(record + RECORD.index, register(form.index), true);
    view.setUint8(record + RECORD.scale, form.scale);
    const displacement = form.displacement + (form.ripRelative ? nextRipDelta : 0) + popped;
    view.setInt32(record + RECORD.displacement, displacement, true);
  }

  /** In 64-bit mode only FS and GS have bases (Intel SDM Vol. 1 §3.4.2.1 "Segment Registers in 64-Bit Mode"). */
  #segmentBase({ segment }: Decoded, form: MemoryForm | undefined, modeBits: ModeBits): number {
    const byDefault = modeBits === 64 ? NO_SEGMENT : form && isOnStack(form) ? SS : DS;
    return this.#state + offsetOf('segmentBases') + (segment ?? byDefault) * BYTES_OF_SEGMENT_BASE;
  }

  #registerOperand(decoded: Decoded): number {
    const operand = decoded.encoding.operands.find(({ source }) => source === 'reg' || source === 'opcode');
    if (operand === undefined) return this.#state;
    const number = operand.source === 'opcode' ? decoded.opcodeRegister : decoded.modrm!.reg;
    return this.#registerAddress(operand, number, decoded.hasRex);
  }

  #rmOperand(decoded: Decoded): number {
    const operand = decoded.encoding.operands.find(
      ({ source }) => source === 'rm' || source === 'rm-register',
    );
    const rm = decoded.modrm?.rm;
    if (operand === undefined || typeof rm !== 'number') return this.#state;
    return this.#registerAddress(operand, rm, decoded.hasRex);
  }

  #registerAddress({ width, registers }: OperandSpec, number: number, hasRex: boolean): number {
    if (registers === 'xmm') return this.#state + offsetOf('xmm') + number * XMM_STRIDE_BYTES;
    // Of ST(i), where it is depends on the top.
    if (registers === 'x87') return number & 7;
    // REX has no say in which MMX register it is.
    if (registers === 'mmx') return this.#state + offsetOf('x87') + (number & 7) * MMX_STRIDE_BYTES;
    if (registers === 'control' || registers === 'debug' || registers === 'segment') return number;
    const general = this.#state + offsetOf('general');
    const isHighByte = width === 8 && !hasRex && number >= FIRST_HIGH_BYTE;
    return isHighByte ? general + (number - FIRST_HIGH_BYTE) * 8 + 1 : general + number * 8;
  }
}

/** Addresses with ESP or EBP as base are in the stack segment (Intel SDM Vol. 1 §3.7.4 "Specifying a Segment Selector"). */
const isOnStack = ({ base }: MemoryForm): boolean => base === RSP || base === RBP;

/** The 11 bits that say which x87 instruction it was (Intel SDM Vol. 1 §8.1.9 "Last Instruction Opcode"). */
function x87Opcode({ encoding: { opcode }, modrm }: Decoded): number {
  return modrm ? ((opcode.byte & 7) << 8) | modrm.byte : 0;
}

/** Memory at what is in a register that the opcode implies. */
function impliedForm({ encoding }: Decoded): MemoryForm | undefined {
  const operand = encoding.operands.find(({ source }) => source === 'implied-memory');
  return (
    operand && { base: operand.implied!, index: undefined, scale: 0, displacement: 0, ripRelative: false }
  );
}
