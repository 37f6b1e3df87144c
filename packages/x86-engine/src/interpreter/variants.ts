/**
 * The handlers that the interpreter needs: one for each encoding, operand size and kind of ModRM operand. A record names
 * its handler by the variant's place in this list.
 */
import { type Encoding, INSTRUCTIONS, type Instruction } from '@vireo/x86-isa';

export type OperandBits = 16 | 32 | 64;

/** Memory is told apart by its address's size. */
export type RmKind = 'register' | 'memory16' | 'memory32' | 'memory64';
const REPEATS = ['none', 'rep', 'repne'] as const;
const MEMORY: readonly RmKind[] = ['memory64', 'memory32', 'memory16'];

export interface Variant {
  readonly instruction: Instruction;
  readonly encoding: Encoding;
  readonly operandBits: OperandBits;
  /** What ModRM.rm (or an offset without it) names; undefined where there is no such operand. */
  readonly rm?: RmKind;
  readonly lock: boolean;
  /** Of what can be repeated. */
  readonly repeat: 'none' | 'rep' | 'repne';
}

/** What a decoded instruction is looked for by. */
export type VariantWish = Pick<Variant, 'operandBits' | 'lock' | 'repeat'> & Pick<Variant, 'rm'>;

/** Operand sizes are told apart only where an operand or the semantics depends on them. */
function operandSizes({ operands, operandEncoding, defaults64, forces64 }: Encoding): readonly OperandBits[] {
  const depends =
    operandEncoding === 'ZO' || defaults64 || forces64 || operands.some(({ width }) => width === 'v');
  if (depends) return [16, 32, 64];
  return operands.some(({ width }) => width === 'y') ? [32, 64] : [32];
}

function rmKinds({ operands, addressed }: Encoding): readonly (RmKind | undefined)[] {
  const sources = operands.map(({ source }) => source);
  if (sources.includes('rm')) return ['register', ...MEMORY];
  if (addressed || sources.includes('rm-memory') || sources.includes('offset')) return MEMORY;
  return sources.includes('rm-register') ? ['register'] : [undefined];
}

export function listVariants(): Variant[] {
  return INSTRUCTIONS.flatMap((instruction) =>
    instruction.encodings.flatMap((encoding) =>
      operandSizes(encoding).flatMap((operandBits) =>
        rmKinds(encoding).flatMap((rm) => {
          const variant = { instruction, encoding, operandBits, ...(rm && { rm }) };
          const locks = encoding.lockable && rm !== 'register' && rm ? [false, true] : [false];
          const repeats = encoding.repeatable ? REPEATS : (['none'] as const);
          return locks.flatMap((lock) => repeats.map((repeat): Variant => ({ ...variant, lock, repeat })));
        }),
      ),
    ),
  );
}

/** Finds a variant's place. */
export class VariantIndex {
  /** For each encoding by `key`; `NONE` where there is no such handler. */
  readonly #places = new Map<Encoding, Int32Array>();

  constructor(variants: readonly Variant[] = listVariants()) {
    for (const [place, variant] of variants.entries()) {
      const places = this.#places.get(variant.encoding) ?? new Int32Array(KEYS).fill(NONE);
      this.#places.set(variant.encoding, places);
      places[key(variant)] = place;
    }
  }

  find(encoding: Encoding, wanted: VariantWish): number {
    const places = this.#places.get(encoding);
    let place = places?.[key(wanted)] ?? NONE;
    // Where the operand size makes no difference, the variant is the one of 32 bits.
    if (place === NONE) place = places?.[key({ ...wanted, operandBits: 32 })] ?? NONE;
    if (place === NONE) throw new Error(`no handler for ${encoding.notation}`);
    return place;
  }
}

const NONE = -1;
const RM_KEYS = { register: 1, memory16: 2, memory32: 3, memory64: 4 } as const;
const REPEAT_KEYS = { none: 0, rep: 1, repne: 2 } as const;
const KEYS = 5 << 5;

/** Numbers the wishes that one encoding can be found by: a string for each would cost more than decoding does. */
function key({ operandBits, rm, lock, repeat }: VariantWish): number {
  const size = operandBits === 16 ? 0 : operandBits === 32 ? 1 : 2;
  const rmKey = rm === undefined ? 0 : RM_KEYS[rm];
  return (rmKey << 5) | (size << 3) | (REPEAT_KEYS[repeat] << 1) | (lock ? 1 : 0);
}

export function addressBitsOf({ rm }: Variant): OperandBits {
  if (rm === 'memory16') return 16;
  return rm === 'memory32' ? 32 : 64;
}
