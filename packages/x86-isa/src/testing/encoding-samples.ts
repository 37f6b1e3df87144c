/** Bytes of each encoding in the table, for 64-bit mode, with the rest of them chosen by a seed. */
import type { Encoding } from '../instruction.ts';
import { INSTRUCTIONS } from '../instructions.ts';
import { generator } from './random-code.ts';

const ESCAPES = { 'one-byte': [], '0f': [0x0f], '0f38': [0x0f, 0x38], '0f3a': [0x0f, 0x3a] } as const;
const VEX_MAPS = { 'one-byte': 0, '0f': 1, '0f38': 2, '0f3a': 3 } as const;
const PREFIXES = { none: [], 'no-repeat': [], 66: [0x66], f2: [0xf2], f3: [0xf3] } as const;
const VEX_PREFIXES = { none: 0, 'no-repeat': 0, 66: 1, f3: 2, f2: 3 } as const;
/** What may follow: SIB, displacement, immediates. */
const REST_BYTES = 13;

type Below = (limit: number) => number;

export function* encodingSamples(seed: number, countOfEach: number): Generator<Uint8Array> {
  const below = generator(seed);
  for (const { encodings } of INSTRUCTIONS)
    for (const encoding of encodings)
      for (let made = 0; made < countOfEach; made++) yield Uint8Array.from(sample(encoding, below));
}

function sample(encoding: Encoding, below: Below): number[] {
  const { opcode } = encoding;
  const register = opcode.plusRegister ? below(8) : 0;
  const opening = opcode.vex ? vex(encoding, below) : legacy(encoding, below);
  return [
    ...[...opening, opcode.byte + register, ...modRm(encoding, below)],
    ...Array.from({ length: REST_BYTES }, () => below(256)),
  ];
}

function legacy(encoding: Encoding, below: Below): number[] {
  const { opcode } = encoding;
  const wide = opcode.rexW ? 8 : 0;
  const rex = below(3) === 0 || wide ? [0x40 | wide | below(wide ? 8 : 16)] : [];
  const operandSize = opcode.prefix === undefined && below(4) === 0 ? [0x66] : [];
  const prefix = opcode.prefix === undefined ? operandSize : PREFIXES[opcode.prefix];
  return [...freePrefix(encoding, below), ...prefix, ...rex, ...ESCAPES[opcode.map]];
}

/** One that is no part of the opcode and has a meaning, now and then. */
function freePrefix({ lockable, repeatable, opcode, operands }: Encoding, below: Below): number[] {
  const usesMemory = operands.some(({ source }) => source === 'rm' || source === 'rm-memory');
  const fitting = [
    ...(lockable ? [0xf0] : []),
    ...(repeatable ? [0xf2, 0xf3] : []),
    ...(usesMemory && opcode.modrm !== undefined ? [0x64, 0x65, 0x67] : []),
  ];
  return fitting.length > 0 && below(3) === 0 ? [fitting[below(fitting.length)]!] : [];
}

function vex({ opcode, operands }: Encoding, below: Below): number[] {
  const { w = below(2) === 1, vectorBits = 128 } = opcode.vex!;
  const vvvv = operands.some(({ source }) => source === 'vvvv') ? below(16) : 15;
  const length = vectorBits === 256 ? 4 : 0;
  const last = (w ? 0x80 : 0) | (vvvv << 3) | length | VEX_PREFIXES[opcode.prefix ?? 'none'];
  return [0xc4, (below(8) << 5) | VEX_MAPS[opcode.map], last];
}

function modRm({ opcode }: Encoding, below: Below): number[] {
  if (opcode.modrmByte !== undefined) return [opcode.modrmByte];
  if (opcode.modrm === undefined) return [];
  const reg = opcode.modrm === 'r' ? below(8) : opcode.modrm;
  return [(below(4) << 6) | (reg << 3) | below(8)];
}
