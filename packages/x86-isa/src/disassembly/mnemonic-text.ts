/** Mnemonics and prefixes as binutils' objdump writes them, where the manual has one name for several sizes, or several names. */
import type { Decoded } from '../decode.ts';

type BySize = Readonly<Record<16 | 32 | 64, string>>;

/** By operand size. */
const SIZED: Readonly<Record<string, BySize>> = {
  CBW: { 16: 'cbw', 32: 'cwde', 64: 'cdqe' },
  CWD: { 16: 'cwd', 32: 'cdq', 64: 'cqo' },
  PUSHF: { 16: 'pushfw', 32: 'pushfd', 64: 'pushf' },
  POPF: { 16: 'popfw', 32: 'popfd', 64: 'popf' },
  ENTER: { 16: 'enterw', 32: 'enter', 64: 'enter' },
  LEAVE: { 16: 'leavew', 32: 'leave', 64: 'leave' },
  IRET: { 16: 'iretw', 32: 'iret', 64: 'iretq' },
  RETF: { 16: 'retfw', 32: 'retf', 64: 'retfq' },
  SYSRET: { 16: 'sysretd', 32: 'sysretd', 64: 'sysretq' },
  FRSTOR: { 16: 'frstorw', 32: 'frstor', 64: 'frstor' },
  FNSAVE: { 16: 'fnsavew', 32: 'fnsave', 64: 'fnsave' },
  FLDENV: { 16: 'fldenvw', 32: 'fldenv', 64: 'fldenv' },
  FNSTENV: { 16: 'fnstenvw', 32: 'fnstenv', 64: 'fnstenv' },
  SYSEXIT: { 16: 'sysexitd', 32: 'sysexitd', 64: 'sysexitq' },
};
const JCXZ: BySize = { 16: 'jcxz', 32: 'jecxz', 64: 'jrcxz' };

/** Their 64-bit forms have a name with 64. */
const SAVES = /^(FX|X)(SAVE|RSTOR)(C|OPT|S)?$/;
const PREDICATES = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'];
const COMPARISON = /^CMP([PS][SD])$/;
const CARRYLESS: Readonly<Record<number, string>> = {
  ...{ 0: 'pclmullqlqdq', 1: 'pclmulhqlqdq', 16: 'pclmullqhqdq', 17: 'pclmulhqhqdq' },
};

export interface Mnemonic {
  readonly text: string;
  /** The last operand, an immediate, is in the name. */
  readonly saysImmediate: boolean;
}

export function mnemonicText(decoded: Decoded): Mnemonic {
  const withImmediate = pseudoOperation(decoded);
  if (withImmediate !== undefined) return { text: withImmediate, saysImmediate: true };
  return { text: sizedName(decoded) ?? wideName(decoded), saysImmediate: false };
}

/** Intel SDM Vol. 2A Table 3-7 "Pseudo-Op and CMPPD Implementation", and those like it. */
function pseudoOperation({ instruction: { mnemonic }, encoding, immediate }: Decoded): string | undefined {
  if (!encoding.operands.some(({ source }) => source === 'immediate')) return undefined;
  if (mnemonic === 'PCLMULQDQ') return CARRYLESS[Number(immediate)];
  const type = COMPARISON.exec(mnemonic)?.[1];
  const predicate = PREDICATES[Number(immediate)];
  return type && predicate && `cmp${predicate}${type.toLowerCase()}`;
}

function sizedName(decoded: Decoded): string | undefined {
  const { mnemonic } = decoded.instruction;
  const { operandBits, addressBits } = decoded;
  if (mnemonic === 'JCXZ') return JCXZ[addressBits];
  if (mnemonic === 'NOP') return nopName(decoded);
  if (mnemonic === 'MOVD') return movesQuadword(decoded) ? 'movq' : 'movd';
  if (mnemonic === 'MOV') return has64BitConstant(decoded) ? 'movabs' : 'mov';
  if (/^(PUSH|POP)$/.test(mnemonic)) return stackName(decoded);
  return SIZED[mnemonic]?.[operandBits];
}

/** Where no operand shows that it is of 16 bits, the name does. */
function stackName({ instruction: { mnemonic }, encoding, operandBits }: Decoded): string {
  const showsSize = encoding.operandEncoding !== 'I' && encoding.operandEncoding !== 'ZO';
  return mnemonic.toLowerCase() + (operandBits === 16 && !showsSize ? 'w' : '');
}

/** With REX.W. */
function wideName({ instruction: { mnemonic }, encoding, operandBits }: Decoded): string {
  const name = mnemonic.toLowerCase();
  if (SAVES.test(mnemonic) && operandBits === 64) return `${name}64`;
  return /^PCMPESTR[IM]$/.test(mnemonic) && encoding.opcode.rexW ? `${name}q` : name;
}

function nopName(decoded: Decoded): string {
  const { encoding, operandBits, lengthBytes, modrm } = decoded;
  if (isHint(decoded)) return modrm?.byte === 0xfa ? 'endbr64' : 'endbr32';
  // 66 90, which is not the NOP of 16-bit code.
  const isWord = encoding.opcode.byte === 0x90 && operandBits === 16 && lengthBytes > 1;
  return isWord ? 'xchg ax,ax' : 'nop';
}

/** ENDBR64 and ENDBR32: hints, which do nothing where there is no CET (Intel SDM Vol. 2A "ENDBR64—Terminate an Indirect Branch in 64-bit Mode"). */
export function isHint({ encoding: { opcode }, repeat, modrm }: Decoded): boolean {
  const isReserved = opcode.map === '0f' && opcode.byte === 0x1e && repeat === 'rep';
  return isReserved && (modrm?.byte === 0xfa || modrm?.byte === 0xfb);
}

function movesQuadword({ encoding: { operands } }: Decoded): boolean {
  return operands.some(({ source, width }) => source === 'rm' && width === 64);
}

function has64BitConstant({ encoding: { operands }, operandBits, addressBits }: Decoded): boolean {
  return operands.some(
    ({ source, encoded }) =>
      (source === 'offset' && addressBits === 64) ||
      (source === 'immediate' && encoded === 'v' && operandBits === 64),
  );
}

const REPEATED = new Set(['MOVS', 'STOS', 'LODS', 'INS', 'OUTS']);
/** F2 before these is MPX's BND (Intel SDM Vol. 2A §2.1.1 "Instruction Prefixes"). */
const BRANCHES = /^(J|CALL$|RET$)/;

/** Each with a space after it. */
export function prefixText(decoded: Decoded): string {
  return repeatText(decoded) + (decoded.lock ? 'lock ' : '');
}

function repeatText(decoded: Decoded): string {
  const { repeat, instruction } = decoded;
  if (repeat === undefined || isHint(decoded)) return '';
  if (repeat === 'rep') return REPEATED.has(instruction.mnemonic) ? 'rep ' : 'repz ';
  return BRANCHES.test(instruction.mnemonic) ? 'bnd ' : 'repnz ';
}
