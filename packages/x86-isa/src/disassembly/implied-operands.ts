/**
 * Operands that are written though the table's encodings have none: those of string instructions (Intel SDM Vol. 1 §7.3.9
 * "String Instructions"), and the segment register that PUSH or POP has in its opcode.
 */
import type { Decoded } from '../decode.ts';
import { segmented, sized } from './memory-text.ts';
import { generalRegister, SEGMENTS } from './register-names.ts';

const [RAX, RDX, RSI, RDI] = [0, 2, 6, 7];
const DS = 3;

type Place = 'source' | 'destination' | 'accumulator' | 'port';

const OPERANDS: Readonly<Record<string, readonly [Place, Place]>> = {
  MOVS: ['destination', 'source'],
  CMPS: ['source', 'destination'],
  STOS: ['destination', 'accumulator'],
  LODS: ['accumulator', 'source'],
  SCAS: ['accumulator', 'destination'],
  INS: ['destination', 'port'],
  OUTS: ['port', 'source'],
};

/** @returns undefined where there are none of these */
export function impliedOperands(decoded: Decoded): string[] | undefined {
  return stringOperands(decoded) ?? stackedSegment(decoded);
}

function stringOperands(decoded: Decoded): string[] | undefined {
  const { instruction, encoding, operandBits } = decoded;
  const places = OPERANDS[instruction.mnemonic];
  // Of each pair of opcodes the even one is of bytes.
  const bits = encoding.opcode.byte & 1 ? operandBits : 8;
  return places?.map((place) => placeText(decoded, place, bits));
}

function stackedSegment({ instruction: { mnemonic }, encoding }: Decoded): string[] | undefined {
  const stacksSegment = /^(PUSH|POP)$/.test(mnemonic) && encoding.operandEncoding === 'ZO';
  return stacksSegment ? [SEGMENTS[(encoding.opcode.byte >> 3) & 7]!] : undefined;
}

function placeText(decoded: Decoded, place: Place, bits: 8 | 16 | 32 | 64): string {
  const pointer = (register: number) => `[${generalRegister(register, decoded.addressBits, true)}]`;
  if (place === 'accumulator') return generalRegister(RAX, bits, true);
  if (place === 'port') return generalRegister(RDX, 16, true);
  // What RDI points to is in ES whatever prefixes say. Ports have no more than 32 bits.
  if (place === 'destination') return sized(`es:${pointer(RDI)}`, decoded, ioBits(decoded, bits));
  return sized(segmented(pointer(RSI), decoded, DS), decoded, ioBits(decoded, bits));
}

function ioBits({ instruction }: Decoded, bits: 8 | 16 | 32 | 64): 8 | 16 | 32 | 64 {
  const isIo = instruction.mnemonic === 'INS' || instruction.mnemonic === 'OUTS';
  return isIo && bits === 64 ? 32 : bits;
}
