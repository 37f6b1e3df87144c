/** Finds the encoding that bytes mean, in the instruction table. */
import { type ModRm, REX } from './address-form.ts';
import type { Encoding, Instruction } from './instruction.ts';
import { INSTRUCTIONS } from './instructions.ts';
import type { OpcodeMap } from './opcode.ts';
import type { OperandSpec } from './operand.ts';
import { type Prefixes, SELECTORS } from './prefixes.ts';
import type { Vex } from './vex.ts';

export interface Candidate {
  readonly instruction: Instruction;
  readonly encoding: Encoding;
}

/** 'address': as many as the address size. */
export type ImmediateBytes = 1 | 2 | 3 | 4 | 8 | 'address';

/** An encoding, with what prefixes make of it. */
export interface Form extends Candidate {
  readonly operandBits: 16 | 32 | 64;
  /** The parts of the instruction behind ModRM, in their order. */
  readonly immediates: readonly ImmediateBytes[];
  readonly hasFarPointer: boolean;
  /** F2 and F3 are no part of the opcode. */
  readonly leavesRepeat: boolean;
}

/**
 * What an opcode byte may be. Which encoding it is, the prefixes and ModRM say: it is looked for once for each of their
 * values that occurs, and then kept, which is what makes decoding fast.
 */
export class OpcodeRow {
  readonly hasModRm: boolean;
  readonly #modeBits: 16 | 32 | 64;
  readonly #candidates: readonly Candidate[];
  readonly #needsWholeModRm: boolean;
  readonly #made: Form[] = [];
  /**
   * By `Prefixes.selector`, then by ModRM; null: looked for, and there is none. A guest can have all of it filled, so the
   * register in ModRM.rm, which makes no difference, does not count.
   */
  readonly #forms: ((Form | null | undefined)[] | undefined)[];

  constructor(candidates: readonly Candidate[], modeBits: 16 | 32 | 64, withVex: boolean) {
    this.hasModRm = candidates.some(({ encoding }) => encoding.opcode.modrm !== undefined);
    this.#modeBits = modeBits;
    this.#needsWholeModRm = candidates.some(({ encoding }) => encoding.opcode.modrmByte !== undefined);
    this.#candidates = candidates.filter(({ encoding }) => fitsMode(encoding, modeBits));
    this.#forms = new Array(withVex ? SELECTORS.vex : SELECTORS.legacy).fill(undefined);
  }

  find(prefixes: Prefixes, modrm: ModRm | undefined): Form | undefined {
    const { selector } = prefixes;
    this.#forms[selector] ??= new Array(this.#places()).fill(undefined);
    const forms = this.#forms[selector];
    const place = modrm === undefined ? 0 : this.#placeOf(modrm.byte);
    let form = forms[place];
    if (form === undefined) {
      form = this.#choose(prefixes, modrm) ?? null;
      forms[place] = form;
    }
    return form ?? undefined;
  }

  #places(): number {
    if (!this.hasModRm) return 1;
    return this.#needsWholeModRm ? 256 : 16;
  }

  /** ModRM.reg, and whether it names two registers. */
  #placeOf(modrm: number): number {
    if (this.#needsWholeModRm) return modrm;
    return ((modrm >> 3) & 7) | (modrm >= 0xc0 ? 8 : 0);
  }

  /** The most specific encoding that fits: with a mandatory prefix before without, the first in the table of the others. */
  #choose(prefixes: Prefixes, modrm: ModRm | undefined): Form | undefined {
    const fitting = this.#candidates.filter(
      ({ encoding }) => fitsModRm(encoding, modrm) && fitsPrefix(encoding, prefixes),
    );
    const chosen = fitting.find(({ encoding }) => encoding.opcode.prefix !== undefined) ?? fitting[0];
    return chosen && this.#formOf(chosen, operandSize(chosen.encoding, this.#modeBits, prefixes));
  }

  #formOf(candidate: Candidate, operandBits: 16 | 32 | 64): Form {
    const isSame = (form: Form) => form.encoding === candidate.encoding && form.operandBits === operandBits;
    let form = this.#made.find(isSame);
    if (form === undefined) {
      form = makeForm(candidate, operandBits);
      this.#made.push(form);
    }
    return form;
  }
}

function makeForm(candidate: Candidate, operandBits: 16 | 32 | 64): Form {
  const { opcode, operands } = candidate.encoding;
  return {
    ...candidate,
    operandBits,
    immediates: operands.flatMap((operand) => encodedBytes(operand, operandBits)),
    hasFarPointer: operands.some(({ source }) => source === 'far-pointer'),
    leavesRepeat: opcode.prefix === undefined,
  };
}

function fitsMode({ modes }: Encoding, modeBits: 16 | 32 | 64): boolean {
  if (modes === undefined) return true;
  return (modes === 'only-64') === (modeBits === 64);
}

/** What it looks at is in `OpcodeRow`'s places, too. */
function fitsModRm({ opcode, operands }: Encoding, modrm: ModRm | undefined): boolean {
  if (opcode.modrmByte !== undefined) return modrm?.byte === opcode.modrmByte;
  if (typeof opcode.modrm === 'number' && modrm && ((modrm.byte >> 3) & 7) !== opcode.modrm) return false;
  const isRegister = typeof modrm?.rm === 'number';
  return operands.every(({ source }) =>
    source === 'rm-memory' ? !isRegister : source === 'rm-register' ? isRegister : true,
  );
}

function fitsVex({ opcode, operands }: Encoding, vex: Vex): boolean {
  const { vectorBits = vex.vectorBits, w = vex.w } = opcode.vex!;
  // Where it names no register, vvvv must be 1111b, inverted.
  const usesVvvv = operands.some(({ source }) => source === 'vvvv');
  return vectorBits === vex.vectorBits && w === vex.w && (usesVvvv || vex.vvvv === 0);
}

/** What it looks at is in `Prefixes.selector`, too. */
function fitsPrefix(encoding: Encoding, prefixes: Prefixes): boolean {
  const { opcode, withoutRexB } = encoding;
  if (prefixes.vex && !fitsVex(encoding, prefixes.vex)) return false;
  if (withoutRexB && prefixes.rex & REX.B) return false;
  if (opcode.rexW !== undefined && opcode.rexW !== ((prefixes.rex & REX.W) !== 0)) return false;
  if (opcode.prefix === 'no-repeat') return prefixes.repeat === undefined;
  return opcode.prefix === undefined || opcode.prefix === prefixes.mandatory;
}

function operandSize(
  encoding: Encoding,
  modeBits: 16 | 32 | 64,
  { rex, operandSize }: Prefixes,
): 16 | 32 | 64 {
  if (rex & REX.W || (modeBits === 64 && encoding.forces64)) return 64;
  const prefix = operandSize && encoding.opcode.prefix !== '66';
  if (modeBits === 16) return prefix ? 32 : 16;
  if (prefix) return 16;
  return modeBits === 64 && encoding.defaults64 ? 64 : 32;
}

/** A far pointer is an offset, and a selector behind it. */
function encodedBytes(operand: OperandSpec, operandBits: 16 | 32 | 64): ImmediateBytes[] {
  const { source, encoded, implied } = operand;
  if (source === 'offset') return ['address'];
  if (source === 'far-pointer') return [operandBits === 16 ? 2 : 4, 2];
  if (source !== 'relative' && (source !== 'immediate' || implied !== undefined)) return [];
  if (encoded === 'v') return [(operandBits / 8) as 2 | 4 | 8];
  if (encoded === 'z') return [operandBits === 16 ? 2 : 4];
  return [(encoded! / 8) as 1 | 2 | 3 | 4];
}

const MAPS: readonly OpcodeMap[] = ['one-byte', '0f', '0f38', '0f3a'];
const MODES = [16, 32, 64] as const;

/** An opcode's bytes as a number: the map they are in, then the last one. */
export function opcodeNumber(map: OpcodeMap, byte: number): number {
  return (MAPS.indexOf(map) << 8) | byte;
}

/** Without VEX and with it, the same bytes mean different things. */
function placeOf(modeBits: 16 | 32 | 64, withVex: boolean, opcode: number): number {
  const mode = modeBits === 64 ? 2 : modeBits === 32 ? 1 : 0;
  return (((mode << 1) | (withVex ? 1 : 0)) << 10) | opcode;
}

function candidates(withVex: boolean): Map<number, Candidate[]> {
  const found = new Map<number, Candidate[]>();
  for (const instruction of INSTRUCTIONS) {
    for (const encoding of instruction.encodings) {
      const { map, byte, plusRegister, vex } = encoding.opcode;
      if ((vex !== undefined) !== withVex) continue;
      for (let at = byte; at < byte + (plusRegister ? 8 : 1); at++) {
        const opcode = opcodeNumber(map, at);
        found.set(opcode, [...(found.get(opcode) ?? []), { instruction, encoding }]);
      }
    }
  }
  return found;
}

function rows(): OpcodeRow[] {
  const made: OpcodeRow[] = [];
  for (const withVex of [false, true]) {
    const found = candidates(withVex);
    const none = new OpcodeRow([], 64, withVex);
    for (const modeBits of MODES)
      for (let opcode = 0; opcode < MAPS.length << 8; opcode++) {
        const all = found.get(opcode);
        made[placeOf(modeBits, withVex, opcode)] = all ? new OpcodeRow(all, modeBits, withVex) : none;
      }
  }
  return made;
}

const ROWS: readonly OpcodeRow[] = rows();

export function opcodeRow(modeBits: 16 | 32 | 64, withVex: boolean, opcode: number): OpcodeRow {
  return ROWS[placeOf(modeBits, withVex, opcode)]!;
}
