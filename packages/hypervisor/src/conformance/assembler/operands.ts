/**
 * Operands of the assembler: registers, memory, immediates (Intel SDM Vol. 2A §2.1 "Instruction Format for
 * Protected Mode, Real-Address Mode, and Virtual-8086 Mode", §2.2.1 "REX Prefixes").
 */

export type OperandBits = 8 | 16 | 32 | 64;

/** A general register of one width. */
export interface Register {
  readonly kind: 'register';
  readonly name: string;
  /** 0 to 15; AH, CH, DH and BH are 4 to 7. */
  readonly code: number;
  readonly bits: OperandBits;
  /** SPL, BPL, SIL and DIL need a REX prefix, AH to BH forbid it. */
  readonly rex: 'needed' | 'forbidden' | 'free';
}

export interface SegmentRegister {
  readonly kind: 'segment';
  readonly name: string;
  readonly code: number;
  /** The prefix that selects it for a memory operand. */
  readonly prefix: number;
}

export interface ControlRegister {
  readonly kind: 'control';
  readonly name: string;
  readonly code: number;
}

export interface DebugRegister {
  readonly kind: 'debug';
  readonly name: string;
  readonly code: number;
}

export interface VectorRegister {
  readonly kind: 'vector';
  readonly name: string;
  readonly code: number;
}

/** What an address is made of; a label is RIP-relative in 64-bit code and absolute elsewhere. */
export interface Address {
  readonly base?: Register;
  readonly index?: Register;
  readonly scale?: 1 | 2 | 4 | 8;
  readonly displacement?: number;
  readonly label?: string;
  readonly segment?: SegmentRegister;
}

export interface Memory extends Address {
  readonly kind: 'memory';
  /** Width of the operand; 0 where the instruction fixes it (LGDT, FXSAVE). */
  readonly bits: OperandBits | 0;
}

/** The address of a label as an immediate. */
export interface LabelAddress {
  readonly kind: 'label';
  readonly name: string;
}

export type Immediate = number | bigint | LabelAddress;
export type RegisterOrMemory = Register | Memory;

/** The address of a label, for `mov(edi, addressOf('table'))`. */
export function addressOf(name: string): LabelAddress {
  return { kind: 'label', name };
}

type AddressLike = Register | number | string | Address;

function memory(bits: OperandBits | 0, where: AddressLike, displacement: number): Memory {
  if (typeof where === 'number') return { kind: 'memory', bits, displacement: where + displacement };
  if (typeof where === 'string') return { kind: 'memory', bits, label: where, displacement };
  if ('kind' in where) return { kind: 'memory', bits, base: where, displacement };
  return { ...where, kind: 'memory', bits, displacement: (where.displacement ?? 0) + displacement };
}

/** Memory operands by width: `dword(rbx, 8)`, `dword(0x500)`, `dword('counter')`, `dword({ base, index, scale })`. */
export const byte = (where: AddressLike, displacement = 0) => memory(8, where, displacement);
export const word = (where: AddressLike, displacement = 0) => memory(16, where, displacement);
export const dword = (where: AddressLike, displacement = 0) => memory(32, where, displacement);
export const qword = (where: AddressLike, displacement = 0) => memory(64, where, displacement);
/** Memory whose width the instruction knows. */
export const at = (where: AddressLike, displacement = 0) => memory(0, where, displacement);

type Bank<Kind, Names extends readonly string[]> = { readonly [name in Names[number]]: Kind };

function bank<Kind, const Names extends readonly string[]>(
  names: Names,
  make: (name: string, code: number) => Kind,
): Bank<Kind, Names> {
  return Object.fromEntries(names.map((name, code) => [name, make(name, code)])) as Bank<Kind, Names>;
}

function general(bits: OperandBits, rex: Register['rex'] = 'free', firstCode = 0) {
  return (name: string, index: number): Register => {
    return { kind: 'register', name, code: firstCode + index, bits, rex };
  };
}

export const { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 } = bank(
  [
    'rax',
    'rcx',
    'rdx',
    'rbx',
    'rsp',
    'rbp',
    'rsi',
    'rdi',
    'r8',
    'r9',
    'r10',
    'r11',
    'r12',
    'r13',
    'r14',
    'r15',
  ],
  general(64),
);
export const { eax, ecx, edx, ebx, esp, ebp, esi, edi, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d } = bank(
  [
    'eax',
    'ecx',
    'edx',
    'ebx',
    'esp',
    'ebp',
    'esi',
    'edi',
    'r8d',
    'r9d',
    'r10d',
    'r11d',
    'r12d',
    'r13d',
    'r14d',
    'r15d',
  ],
  general(32),
);
export const { ax, cx, dx, bx, sp, bp, si, di, r8w, r9w, r10w, r11w, r12w, r13w, r14w, r15w } = bank(
  [
    'ax',
    'cx',
    'dx',
    'bx',
    'sp',
    'bp',
    'si',
    'di',
    'r8w',
    'r9w',
    'r10w',
    'r11w',
    'r12w',
    'r13w',
    'r14w',
    'r15w',
  ],
  general(16),
);
export const { al, cl, dl, bl } = bank(['al', 'cl', 'dl', 'bl'], general(8));
export const { ah, ch, dh, bh } = bank(['ah', 'ch', 'dh', 'bh'], general(8, 'forbidden', 4));
export const { spl, bpl, sil, dil } = bank(['spl', 'bpl', 'sil', 'dil'], general(8, 'needed', 4));
export const { r8b, r9b, r10b, r11b, r12b, r13b, r14b, r15b } = bank(
  ['r8b', 'r9b', 'r10b', 'r11b', 'r12b', 'r13b', 'r14b', 'r15b'],
  general(8, 'free', 8),
);

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

export const { es, cs, ss, ds, fs, gs } = bank(
  ['es', 'cs', 'ss', 'ds', 'fs', 'gs'],
  (name, code): SegmentRegister => ({ kind: 'segment', name, code, prefix: SEGMENT_PREFIXES[code]! }),
);

const control = (name: string): ControlRegister => ({ kind: 'control', name, code: Number(name.slice(2)) });
export const { cr0, cr2, cr3, cr4, cr8 } = bank(['cr0', 'cr2', 'cr3', 'cr4', 'cr8'], control);

const debug = (name: string): DebugRegister => ({ kind: 'debug', name, code: Number(name.slice(2)) });
export const { dr0, dr1, dr2, dr3, dr6, dr7 } = bank(['dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'], debug);

export const { xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7, xmm8, xmm15 } = bank(
  ['xmm0', 'xmm1', 'xmm2', 'xmm3', 'xmm4', 'xmm5', 'xmm6', 'xmm7', 'xmm8', 'xmm15'],
  (name): VectorRegister => ({ kind: 'vector', name, code: Number(name.slice(3)) }),
);
