/**
 * Instructions as text, for error reports and traces: Intel's syntax (Intel SDM Vol. 1 §1.3.2.1 "Instruction Operands") as
 * binutils' `objdump -M intel` writes it for 64-bit mode.
 *
 * A decoded instruction has no prefixes that mean nothing, so these are not in the text.
 */
import { MAX_INSTRUCTION_BYTES } from './byte-reader.ts';
import { type Decoded, decode, type ModeBits } from './decode.ts';
import { impliedOperands } from './disassembly/implied-operands.ts';
import { hex, masked } from './disassembly/memory-text.ts';
import { isHint, mnemonicText, prefixText } from './disassembly/mnemonic-text.ts';
import { operandTexts } from './disassembly/operand-text.ts';

/** `rip`: the address of the instruction itself, for what is relative to it. */
export function disassemble(decoded: Decoded, rip: bigint): string {
  const { text, saysImmediate } = mnemonicText(decoded);
  const written = isHint(decoded) ? [] : (impliedOperands(decoded) ?? operandTexts(decoded, rip));
  const operands = (saysImmediate ? written.slice(0, -1) : written).join(',');
  const line = prefixText(decoded) + (operands === '' ? text : `${text} ${operands}`);
  const target = ripRelativeTarget(decoded, rip);
  return target === undefined ? line : `${line} # ${hex(target)}`;
}

function ripRelativeTarget({ modrm, lengthBytes, addressBits }: Decoded, rip: bigint): bigint | undefined {
  const form = modrm?.rm;
  if (typeof form !== 'object' || !form.ripRelative) return undefined;
  return masked(rip + BigInt(lengthBytes + form.displacement), addressBits);
}

/** What is at the start of some bytes, be it an instruction or not: then they follow, `(bad) 0f ff`. */
export function disassembleBytes(bytes: Uint8Array, modeBits: ModeBits, rip: bigint): string {
  const decoded = decode(bytes, modeBits);
  return typeof decoded === 'string' ? undecodableText(bytes) : disassemble(decoded, rip);
}

/** As many as an instruction can have. */
export function undecodableText(bytes: Uint8Array): string {
  const digits = [...bytes.subarray(0, MAX_INSTRUCTION_BYTES)].map((it) => it.toString(16).padStart(2, '0'));
  return ['(bad)', ...digits].join(' ');
}
