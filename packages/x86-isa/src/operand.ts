/**
 * Operands as the instruction table names them: where each comes from in the encoding, and how wide it is (Intel SDM
 * Vol. 2A §3.1.1.3 "Instruction Column in the Opcode Summary Table", Vol. 2D §A.2.1 "Codes for Addressing Method").
 *
 * A width of 'v' is the operand size of the instruction at hand: 16, 32 or 64 bits; 'y' is 64 bits of that, or 32.
 */

export type Access = 'read' | 'write' | 'read-write' | 'address';

export type Bits = 8 | 16 | 32 | 64 | 80 | 128;
export type Width = Bits | 'v' | 'y';

/** The bits of a width, for an operand size. */
export function bitsOf(width: Width, operandBits: 16 | 32 | 64): Bits {
  if (width === 'y') return operandBits === 64 ? 64 : 32;
  return width === 'v' ? operandBits : width;
}

/** Where an operand comes from. */
export type Source =
  /** ModRM.rm and what follows: a register or memory, or one of the two only. */
  | 'rm'
  | 'rm-register'
  | 'rm-memory'
  /** ModRM.reg. */
  | 'reg'
  /** VEX.vvvv. */
  | 'vvvv'
  /** The low bits of the opcode. */
  | 'opcode'
  /** A register that the opcode implies, or memory at what is in that register. */
  | 'implied'
  | 'implied-memory'
  | 'immediate'
  /** A displacement from the next instruction. */
  | 'relative'
  /** An address in the instruction, without ModRM (MOV's moffs). */
  | 'offset'
  /** A selector and an offset in the instruction. */
  | 'far-pointer';

export type RegisterClass = 'general' | 'segment' | 'control' | 'debug' | 'mmx' | 'xmm' | 'x87';

export interface OperandKind {
  readonly source: Source;
  readonly width: Width;
  readonly registers: RegisterClass;
  /** The number of an implied register, or the value of an implied constant. */
  readonly implied?: number;
  /** Bits of an immediate in the instruction, if fewer than its width: sign-extended. 'z': 16 or 32 by operand size. */
  readonly encoded?: 8 | 16 | 24 | 32 | 'z' | 'v';
  /** Memory must be aligned to the width, else #GP (Intel SDM Vol. 1 §4.1.1 "Alignment of Words, Doublewords, Quadwords, and Double Quadwords"). */
  readonly aligned?: true;
}

export interface OperandSpec extends OperandKind {
  readonly name: OperandName;
  readonly access: Access;
}

const general = (source: Source, width: Width): OperandKind => ({ source, width, registers: 'general' });
const implied = (number: number, width: Width): OperandKind => ({
  ...general('implied', width),
  implied: number,
});
const immediate = (width: Width, encoded: OperandKind['encoded']): OperandKind => ({
  ...general('immediate', width),
  ...(encoded === undefined ? {} : { encoded }),
});

const xmm = (source: Source, width: Width): OperandKind => ({
  ...general(source, width),
  registers: 'xmm',
  ...(source === 'implied' ? { implied: 0 } : {}),
});
const mmx = (source: Source, width: Width): OperandKind => ({ ...general(source, width), registers: 'mmx' });

const KINDS = {
  rm8: general('rm', 8),
  rm16: general('rm', 16),
  rm32: general('rm', 32),
  rm64: general('rm', 64),
  rmv: general('rm', 'v'),
  rmy: general('rm', 'y'),
  r8: general('reg', 8),
  r16: general('reg', 16),
  r32: general('reg', 32),
  r64: general('reg', 64),
  rv: general('reg', 'v'),
  ry: general('reg', 'y'),
  vy: general('vvvv', 'y'),
  /** ModRM.rm, which must be a register. */
  rrmv: general('rm-register', 'v'),
  rry: general('rm-register', 'y'),
  m: general('rm-memory', 'v'),
  m8: general('rm-memory', 8),
  m16: general('rm-memory', 16),
  m32: general('rm-memory', 32),
  m64: general('rm-memory', 64),
  mv: general('rm-memory', 'v'),
  m80: general('rm-memory', 80),
  m128: general('rm-memory', 128),
  o8: general('opcode', 8),
  ov: general('opcode', 'v'),
  al: implied(0, 8),
  cl: implied(1, 8),
  ax: implied(0, 16),
  dx: implied(2, 16),
  eax: implied(0, 32),
  rax: implied(0, 64),
  edx: implied(2, 32),
  rdx: implied(2, 64),
  av: implied(0, 'v'),
  /** XLAT's table, at RBX. */
  mbx8: { ...implied(3, 8), source: 'implied-memory' },
  one: { ...general('immediate', 8), implied: 1 },
  imm8: immediate(8, 8),
  imm16: immediate(16, 16),
  /** ENTER's two: 16 bits of size, then 8 of the nesting level. */
  imm24: immediate(32, 24),
  /** One byte, sign-extended to the operand size. */
  imm8s: immediate('v', 8),
  /** Two or four bytes, sign-extended to the operand size. */
  immz: immediate('v', 'z'),
  /** As wide as the operand size. */
  immv: immediate('v', 'v'),
  rel8: { ...general('relative', 'v'), encoded: 8 },
  relz: { ...general('relative', 'v'), encoded: 'z' },
  moffs8: general('offset', 8),
  moffsv: general('offset', 'v'),
  sreg: { ...general('reg', 16), registers: 'segment' },
  creg: { ...general('reg', 64), registers: 'control' },
  dreg: { ...general('reg', 64), registers: 'debug' },
  /** The selector above an offset of 32 bits. */
  far: general('far-pointer', 64),
  x: xmm('reg', 128),
  /** The low part of an XMM register: a write leaves the rest. */
  x64: xmm('reg', 64),
  x32: xmm('reg', 32),
  /** XMM0, which BLENDVPS and its like imply. */
  xmm0: xmm('implied', 128),
  xm128: { ...xmm('rm', 128), aligned: true },
  /** The same, wherever memory is. */
  xu128: xmm('rm', 128),
  xm64: xmm('rm', 64),
  xm32: xmm('rm', 32),
  xm16: xmm('rm', 16),
  /** ModRM.rm that must be a register. */
  xr: xmm('rm-register', 128),
  xr64: xmm('rm-register', 64),
  xr32: xmm('rm-register', 32),
  m128a: { ...general('rm-memory', 128), aligned: true },
  q: mmx('reg', 64),
  qm64: mmx('rm', 64),
  qm32: mmx('rm', 32),
  qr: mmx('rm-register', 64),
  rr32: general('rm-register', 32),
  /** ST(i). */
  sti: { ...general('rm-register', 80), registers: 'x87' },
} as const satisfies Readonly<Record<string, OperandKind>>;

export type OperandName = keyof typeof KINDS;

const operand =
  (access: Access) =>
  (name: OperandName): OperandSpec => ({ ...KINDS[name], name, access });

export const r = operand('read');
export const w = operand('write');
export const rw = operand('read-write');
/** Memory whose address is what counts (LEA). */
export const address = operand('address');
