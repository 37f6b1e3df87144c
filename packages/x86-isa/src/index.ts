export type { MemoryForm, ModRm } from './address-form.ts';
export type * from './builder.ts';
export { type Decoded, decode, type ModeBits, type Undecodable } from './decode.ts';
export type * from './float-builder.ts';
export type { Encoding, Feature, Instruction } from './instruction.ts';
export { INSTRUCTIONS } from './instructions.ts';
export type { Opcode, OpcodeMap } from './opcode.ts';
export { type Bits, bitsOf, type OperandSpec, type RegisterClass } from './operand.ts';
export type * from './vector-builder.ts';
