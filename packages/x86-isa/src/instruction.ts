/** One row group of the manual: an instruction's name, its encodings and its meaning. */
import type { Builder, Operand, StatusFlag } from './builder.ts';
import { type Opcode, parseOpcode } from './opcode.ts';
import type { OperandSpec } from './operand.ts';

/** CPUID bits that an instruction needs, by the manual's names. */
export type Feature =
  | 'CMOV'
  | 'CX8'
  | 'CX16'
  | 'POPCNT'
  | 'LZCNT'
  | 'BMI1'
  | 'BMI2'
  | 'ADX'
  | 'MOVBE'
  | 'MMX'
  | 'SSE'
  | 'SSE2'
  | 'SSE3'
  | 'SSSE3'
  | 'SSE4.1'
  | 'SSE4.2'
  | 'AES'
  | 'PCLMULQDQ'
  | 'SHA'
  | 'RDRAND'
  | 'RDSEED'
  | 'FXSR'
  | 'XSAVE'
  | 'XSAVEOPT'
  | 'XSAVEC';

/** Parts of the processor that an operating system may have switched off (unit.ts). 'wait' is WAIT alone, 'xsave' XSAVE and its like. */
export type Unit = 'x87' | 'wait' | 'mmx' | 'sse' | 'xsave';

export interface EncodingOptions {
  /** LOCK may stand before it when its destination is memory. */
  readonly lockable?: true;
  /** It locks memory whether told to or not. */
  readonly locks?: true;
  /** 'only-64', 'not-64': where the encoding exists; everywhere when not said. */
  readonly modes?: 'only-64' | 'not-64';
  /** Only without REX.B. */
  readonly withoutRexB?: true;
  /** REP and REPNE repeat it. */
  readonly repeatable?: true;
  /** In 64-bit mode the operand size is 64 bits, whatever prefixes say (near branches). */
  readonly forces64?: true;
  /** It depends on the address size, though it has no operand in memory: RCX is its counter, or RSI and RDI point to memory. */
  readonly addressed?: true;
  /** In 64-bit mode the operand size is 64 bits without REX.W, and cannot be 32 (PUSH, POP). */
  readonly defaults64?: true;
  /** In place of the instruction's. */
  readonly undefinedFlags?: readonly StatusFlag[];
}

export interface Encoding extends EncodingOptions {
  /** The manual's operand encoding column. */
  readonly operandEncoding: string;
  readonly notation: string;
  readonly opcode: Opcode;
  readonly operands: readonly OperandSpec[];
}

export interface InstructionDefinition {
  readonly encodings: readonly Encoding[];
  readonly feature?: Feature;
  /** What it does is the system's side's (system-operation.ts), or the host's system does not let programs do it. */
  readonly system?: true;
  /** What it needs that an operating system may have switched off, where its operands do not tell. */
  readonly unit?: Unit;
  /** Flags that the manual calls undefined afterwards: what the processor leaves there is not compared. */
  readonly undefinedFlags?: readonly StatusFlag[];
  semantics(e: Builder, ...operands: Operand[]): void;
}

export interface Instruction extends InstructionDefinition {
  readonly mnemonic: string;
}

export const lockable = { lockable: true } as const;
export const locks = { locks: true } as const;
export const only64 = { modes: 'only-64' } as const;
export const not64 = { modes: 'not-64' } as const;
export const withoutRexB = { withoutRexB: true } as const;
export const forces64 = { forces64: true } as const;
export const repeatable = { repeatable: true } as const;
export const addressed = { addressed: true } as const;
export const defaults64 = { defaults64: true } as const;

export function enc(
  operandEncoding: string,
  notation: string,
  ...rest: readonly (OperandSpec | EncodingOptions)[]
): Encoding {
  const operands = rest.filter((it): it is OperandSpec => 'source' in it);
  const options = rest.filter((it): it is EncodingOptions => !('source' in it));
  return Object.assign(
    { operandEncoding, notation, opcode: parseOpcode(notation), operands },
    ...options,
  ) as Encoding;
}

export function instruction(mnemonic: string, definition: InstructionDefinition): Instruction {
  return { mnemonic, ...definition };
}

export function systemInstruction(mnemonic: string, definition: InstructionDefinition): Instruction {
  return { mnemonic, system: true, ...definition };
}
