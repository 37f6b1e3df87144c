/** The ModRM and SIB bytes, and the address they form (Intel SDM Vol. 2A §2.1.5 "Addressing-Mode Encoding of ModR/M and SIB Bytes"). */
import type { ByteReader } from './byte-reader.ts';

export interface MemoryForm {
  /** Register numbers. */
  readonly base?: number;
  readonly index?: number;
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
  { addressBits, modeBits }: { addressBits: 16 | 32 | 64; modeBits: 16 | 32 | 64 },
): ModRm {
  const byte = reader.byte();
  const reg = ((byte >> 3) & 7) | (rex & REX.R ? 8 : 0);
  const mod = byte >> 6;
  const rm = byte & 7;
  if (mod === 3) return { byte, reg, rm: rm | (rex & REX.B ? 8 : 0) };
  const form =
    addressBits === 16 ? readForm16(reader, mod, rm) : readForm(reader, rex, mod, rm, modeBits === 64);
  return { byte, reg, rm: form };
}

function readForm16(reader: ByteReader, mod: number, rm: number): MemoryForm {
  const plain = { scale: 0, ripRelative: false };
  if (mod === 0 && rm === 6) return { ...plain, displacement: Number(reader.signed(2)) };
  const [base, index] = FORMS_16[rm]!;
  return {
    ...plain,
    base,
    ...(index === undefined ? {} : { index }),
    displacement: readDisplacement(reader, mod, 2),
  };
}

function readForm(reader: ByteReader, rex: number, mod: number, rm: number, is64: boolean): MemoryForm {
  const high = (bit: number) => (rex & bit ? 8 : 0);
  if (rm === 4) return readSib(reader, rex, mod);
  if (mod === 0 && rm === 5) return { scale: 0, displacement: Number(reader.signed(4)), ripRelative: is64 };
  return {
    base: rm | high(REX.B),
    scale: 0,
    displacement: readDisplacement(reader, mod, 4),
    ripRelative: false,
  };
}

function readSib(reader: ByteReader, rex: number, mod: number): MemoryForm {
  const sib = reader.byte();
  const index = ((sib >> 3) & 7) | (rex & REX.X ? 8 : 0);
  const hasBase = mod !== 0 || (sib & 7) !== 5;
  return {
    ...(hasBase ? { base: (sib & 7) | (rex & REX.B ? 8 : 0) } : {}),
    // RSP cannot be an index; R12 can.
    ...(index === 4 ? {} : { index }),
    scale: sib >> 6,
    displacement: hasBase ? readDisplacement(reader, mod, 4) : Number(reader.signed(4)),
    ripRelative: false,
  };
}

function readDisplacement(reader: ByteReader, mod: number, wideBytes: 2 | 4): number {
  if (mod === 0) return 0;
  return Number(reader.signed(mod === 1 ? 1 : wideBytes));
}
