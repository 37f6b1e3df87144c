/** The ModRM and SIB bytes, and the address they form (Intel SDM Vol. 2A §2.1.5 "Addressing-Mode Encoding of ModR/M and SIB Bytes"). */
import type { ByteReader } from './byte-reader.ts';

export interface MemoryForm {
  /** Register numbers. */
  readonly base: number | undefined;
  readonly index: number | undefined;
  /** The index is shifted so far. */
  readonly scale: number;
  readonly displacement: number;
  /** Relative to the next instruction. */
  readonly ripRelative: boolean;
}

export interface ModRm {
  readonly byte: number;
  /** With REX.R. */
  readonly reg: number;
  /** A register's number with REX.B, or memory. */
  readonly rm: number | MemoryForm;
}

/** Bits of REX (§2.2.1.2 "More on REX Prefix Fields"). */
export const REX = { W: 8, R: 4, X: 2, B: 1 } as const;

/** Bases and indices of 16-bit addresses: BX+SI, BX+DI, BP+SI, BP+DI, SI, DI, BP, BX (Table 2-1). */
const FORMS_16: readonly (readonly [base: number, index?: number])[] = [
  ...([[3, 6] as const, [3, 7] as const, [5, 6] as const, [5, 7] as const] as const),
  ...([[6] as const, [7] as const, [5] as const, [3] as const] as const),
];

export function readModRm(
  reader: ByteReader,
  rex: number,
  addressBits: 16 | 32 | 64,
  modeBits: 16 | 32 | 64,
): ModRm {
  const byte = reader.byte();
  const reg = ((byte >> 3) & 7) | (rex & REX.R ? 8 : 0);
  if (byte >= 0xc0) return { byte, reg, rm: (byte & 7) | (rex & REX.B ? 8 : 0) };
  const rm = addressBits === 16 ? readForm16(reader, byte) : readForm(reader, rex, byte, modeBits === 64);
  return { byte, reg, rm };
}

function readForm16(reader: ByteReader, modrm: number): MemoryForm {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  if (mod === 0 && rm === 6) return form(undefined, undefined, 0, reader.signed(2));
  const [base, index] = FORMS_16[rm]!;
  return form(base, index, 0, readDisplacement(reader, mod, 2));
}

function readForm(reader: ByteReader, rex: number, modrm: number, is64: boolean): MemoryForm {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  if (rm === 4) return readSib(reader, rex, mod);
  if (mod === 0 && rm === 5) return form(undefined, undefined, 0, reader.signed(4), is64);
  return form(rm | (rex & REX.B ? 8 : 0), undefined, 0, readDisplacement(reader, mod, 4));
}

function readSib(reader: ByteReader, rex: number, mod: number): MemoryForm {
  const sib = reader.byte();
  const hasBase = mod !== 0 || (sib & 7) !== 5;
  const base = hasBase ? (sib & 7) | (rex & REX.B ? 8 : 0) : undefined;
  const index = ((sib >> 3) & 7) | (rex & REX.X ? 8 : 0);
  const displacement = hasBase ? readDisplacement(reader, mod, 4) : reader.signed(4);
  // RSP cannot be an index; R12 can.
  return form(base, index === 4 ? undefined : index, sib >> 6, displacement);
}

function readDisplacement(reader: ByteReader, mod: number, wideBytes: 2 | 4): number {
  if (mod === 0) return 0;
  return reader.signed(mod === 1 ? 1 : wideBytes);
}

/** All are made here, so that the engine that runs us sees one shape of object. */
function form(
  base: number | undefined,
  index: number | undefined,
  scale: number,
  displacement: number,
  ripRelative = false,
): MemoryForm {
  return { base, index, scale, displacement, ripRelative };
}
