/**
 * The opcode column of the manual's tables, parsed (Intel SDM Vol. 2A §3.1.1.1 "Opcode Column in the Instruction Summary
 * Table (Instructions without VEX Prefix)"): `REX.W 0F C7 /1`, `80 /0 ib`, `NP 0F 10 /r`, `50 +r`, `0F 01 F8`; and with VEX (§3.1.1.2 "Opcode Column in the Instruction Summary Table (Instructions with VEX prefix)"):
 * `VEX.LZ.F2.0F38.W0 F7 /r`.
 */

/** Which opcode table the last opcode byte is in, by the bytes before it. */
export type OpcodeMap = 'one-byte' | '0f' | '0f38' | '0f3a';

/** A prefix that is part of the opcode; 'none': none of the three may be there; 'no-repeat': 66 may. */
export type MandatoryPrefix = 'none' | 'no-repeat' | '66' | 'f2' | 'f3';

/** What VEX must say; anything where nothing is said. Its prefix and opcode map are those of the opcode. */
export interface VexFields {
  /** L. */
  readonly vectorBits?: 128 | 256;
  readonly w?: boolean;
}

export interface Opcode {
  readonly map: OpcodeMap;
  readonly byte: number;
  /** The low three bits of the opcode byte name a register (`+r`). */
  readonly plusRegister: boolean;
  readonly prefix?: MandatoryPrefix;
  readonly rexW?: boolean;
  readonly vex?: VexFields;
  /** `/r`, or the digit that ModRM.reg must be; undefined when there is no ModRM byte. */
  readonly modrm?: 'r' | number;
  /** All of ModRM, where the table gives it as a byte. */
  readonly modrmByte?: number;
}

type Draft = { -readonly [K in keyof Opcode]: Opcode[K] };

/** Immediates and displacements are operands, and are counted there. */
const IMMEDIATES = /^(ib|iw|id|iz|iv|io|cb|cw|cz|cd|cp|mo)$/;

/** @throws Error for notation that the manual does not have: a mistake in the table. */
export function parseOpcode(notation: string): Opcode {
  const words = notation.split(' ');
  const draft: Draft = { map: 'one-byte', byte: -1, plusRegister: false };
  if (words[0]?.startsWith('VEX.')) readVex(words.shift()!, draft);
  else {
    readPrefixes(words, draft);
    draft.map = readMap(words);
  }
  draft.byte = readByte(words.shift(), notation);
  for (const word of words) readRest(word, draft, notation);
  return draft;
}

function readPrefixes(words: string[], draft: Draft): void {
  for (;;) {
    const word = words[0];
    if (word === 'NP') draft.prefix = 'none';
    else if (word === 'NFx') draft.prefix = 'no-repeat';
    else if (word === 'REX.W') draft.rexW = true;
    else if (word === '66' || word === 'F2' || word === 'F3')
      draft.prefix = word.toLowerCase() as MandatoryPrefix;
    else return;
    words.shift();
  }
}

const VEX_FIELDS: Readonly<Record<string, (draft: Draft) => void>> = {
  VEX: () => {},
  128: (draft) => addVex(draft, { vectorBits: 128 }),
  LZ: (draft) => addVex(draft, { vectorBits: 128 }),
  256: (draft) => addVex(draft, { vectorBits: 256 }),
  LIG: () => {},
  W0: (draft) => addVex(draft, { w: false }),
  W1: (draft) => addVex(draft, { w: true }),
  WIG: () => {},
  NP: (draft) => (draft.prefix = 'none'),
  66: (draft) => (draft.prefix = '66'),
  F2: (draft) => (draft.prefix = 'f2'),
  F3: (draft) => (draft.prefix = 'f3'),
  '0F': (draft) => (draft.map = '0f'),
  '0F38': (draft) => (draft.map = '0f38'),
  '0F3A': (draft) => (draft.map = '0f3a'),
};

function addVex(draft: Draft, fields: VexFields): void {
  draft.vex = { ...draft.vex, ...fields };
}

function readVex(word: string, draft: Draft): void {
  addVex(draft, {});
  draft.prefix = 'none';
  for (const field of word.split('.')) {
    const read = VEX_FIELDS[field];
    if (read === undefined) throw new Error(`'${field}' in '${word}' is no field of VEX`);
    read(draft);
  }
}

function readMap(words: string[]): OpcodeMap {
  if (words[0] !== '0F' || words.length === 1) return 'one-byte';
  words.shift();
  const second: string | undefined = words[0];
  if (second !== '38' && second !== '3A') return '0f';
  words.shift();
  return second === '38' ? '0f38' : '0f3a';
}

function readByte(word: string | undefined, notation: string): number {
  if (word === undefined || !/^[0-9A-F]{2}$/.test(word)) throw new Error(`no opcode byte in '${notation}'`);
  return Number.parseInt(word, 16);
}

function readRest(word: string, draft: Draft, notation: string): void {
  if (word === '/r') draft.modrm = 'r';
  else if (/^\/[0-7]$/.test(word)) draft.modrm = Number(word[1]);
  else if (word === '+r') draft.plusRegister = true;
  else if (/^[0-9A-F]{2}$/.test(word)) {
    draft.modrmByte = Number.parseInt(word, 16);
    draft.modrm = (draft.modrmByte >> 3) & 7;
  } else if (!IMMEDIATES.test(word)) throw new Error(`'${word}' in '${notation}' is no opcode notation`);
}
