/**
 * The LZMA decoder, which LZMA2 (inside .xz) and .lzma files share (LZMA SDK, "LZMA specification"). Every published
 * library lacks the x86 filter that kernels are packed with or needs a native add-on, so the decoder is ours; it
 * writes to a given array, zeros at first, whose length bounds what hostile bytes can make it do.
 */
import { DecodeError, damaged } from './decode-error.ts';

const PROBABILITY_BITS = 11;
const PROBABILITY_HALF = 1 << (PROBABILITY_BITS - 1);
const ADAPTATION_SHIFT = 5;
const TOP = 2 ** 24;

const STATES = 12;
/** States below this one mean that the last packet was a literal. */
const FIRST_MATCH_STATE = 7;
const MAX_POSITION_STATES = 16;
const MIN_MATCH = 2;

// Where each group of probabilities starts in the one array.
const IS_MATCH = 0;
const IS_REP = IS_MATCH + STATES * MAX_POSITION_STATES;
const IS_REP0 = IS_REP + STATES;
const IS_REP1 = IS_REP0 + STATES;
const IS_REP2 = IS_REP1 + STATES;
const IS_REP0_LONG = IS_REP2 + STATES;
const POSITION_SLOT = IS_REP0_LONG + STATES * MAX_POSITION_STATES;
const POSITION_SPECIAL = POSITION_SLOT + 4 * 64;
const ALIGN = POSITION_SPECIAL + 128;
const MATCH_LENGTH = ALIGN + 16;
const LENGTH_LOW = 2;
const LENGTH_MID = LENGTH_LOW + MAX_POSITION_STATES * 8;
const LENGTH_HIGH = LENGTH_MID + MAX_POSITION_STATES * 8;
const LENGTH_PROBABILITIES = LENGTH_HIGH + 256;
const REP_LENGTH = MATCH_LENGTH + LENGTH_PROBABILITIES;
const LITERAL = REP_LENGTH + LENGTH_PROBABILITIES;
const LITERAL_CODER = 0x300;
/** What LZMA2 allows for lc + lp, and all that `lzma` has ever used. */
const MAX_LITERAL_BITS = 4;

/** The first position slots whose distances have direct bits, and those beyond the special ones. */
const FIRST_DIRECT_SLOT = 4;
const FIRST_ALIGNED_SLOT = 14;
const ALIGN_BITS = 4;
/** A match with this distance ends the stream. */
const END_MARKER = 0xffffffff;
/** Below this a byte loop is faster than a call to copy. */
const SHORT_COPY_BYTES = 24;

export class LzmaDecoder {
  readonly #output: Uint8Array;
  readonly #probabilities = new Uint16Array(LITERAL + (LITERAL_CODER << MAX_LITERAL_BITS));
  /** Range and code: an array, since fields that exceed 31 bits would be boxed. */
  readonly #range = new Uint32Array(2);
  readonly #reps = new Uint32Array(4);
  #input: Uint8Array = new Uint8Array();
  #at = 0;
  #state = 0;
  #literalContextBits = 0;
  #literalPositionMask = 0;
  #positionMask = 0;
  /** Where the dictionary starts in the output: matches cannot reach before it. */
  #dictionaryStart = 0;
  position = 0;

  constructor(output: Uint8Array) {
    this.#output = output;
  }

  /** Where the range decoder stopped reading. */
  get inputPosition(): number {
    return this.#at;
  }

  resetDictionary(): void {
    this.#dictionaryStart = this.position;
  }

  /** Takes over a properties byte, lc + 9 * (lp + 5 * pb). */
  setProperties(byte: number): void {
    const lc = byte % 9;
    const lp = Math.floor(byte / 9) % 5;
    const pb = Math.floor(byte / 45);
    if (pb > 4 || lc + lp > MAX_LITERAL_BITS) throw damaged('LZMA properties are out of range');
    this.#literalContextBits = lc;
    this.#literalPositionMask = (1 << lp) - 1;
    this.#positionMask = (1 << pb) - 1;
  }

  resetState(): void {
    this.#probabilities.fill(PROBABILITY_HALF);
    this.#reps.fill(0);
    this.#state = 0;
  }

  /** Stored bytes of an LZMA2 chunk. */
  copy(bytes: Uint8Array): void {
    this.#output.set(bytes, this.position);
    this.position += bytes.length;
  }

  /** Decodes `input[from, to)` until the output reaches `end`, or an end marker. The caller checked `end`. */
  decode(input: Uint8Array, from: number, to: number, end: number): void {
    if (to - from < 5 || input[from] !== 0) throw damaged('an LZMA stream starts wrongly');
    this.#input = input;
    const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
    this.#range[0] = 0xffffffff;
    this.#range[1] = view.getUint32(from + 1);
    this.#at = from + 5;
    while (this.position < end && this.#packet(end)) if (this.#at > to) break;
    // Reading past the input gave zeros, which did no harm but mean nothing.
    if (this.#at > to) throw damaged('an LZMA stream is cut short');
  }

  /** One literal or match; false at the end marker. */
  #packet(end: number): boolean {
    const positionState = this.position & this.#positionMask;
    const state = this.#state;
    if (this.#bit(IS_MATCH + state * MAX_POSITION_STATES + positionState) === 0) {
      this.#literal();
      return true;
    }
    if (this.#bit(IS_REP + state) === 0) return this.#match(positionState, end);
    this.#repeat(positionState, end);
    return true;
  }

  #literal(): void {
    const output = this.#output;
    const position = this.position;
    const previous = position > this.#dictionaryStart ? output[position - 1]! : 0;
    const context =
      ((position & this.#literalPositionMask) << this.#literalContextBits) |
      (previous >> (8 - this.#literalContextBits));
    const base = LITERAL + LITERAL_CODER * context;
    let symbol = 1;
    if (this.#state >= FIRST_MATCH_STATE) {
      let match = this.#byteAt(this.#reps[0]!);
      let offset = 0x100;
      do {
        match <<= 1;
        const matchBit = match & offset;
        const bit = this.#bit(base + offset + matchBit + symbol);
        symbol = (symbol << 1) | bit;
        offset &= bit ? matchBit : ~matchBit;
      } while (symbol < 0x100);
    } else {
      do symbol = (symbol << 1) | this.#bit(base + symbol);
      while (symbol < 0x100);
    }
    output[position] = symbol;
    this.position = position + 1;
    const state = this.#state;
    this.#state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
  }

  #match(positionState: number, end: number): boolean {
    const reps = this.#reps;
    const length = this.#length(MATCH_LENGTH, positionState);
    const distance = this.#distance(length);
    if (distance === END_MARKER) return false;
    reps[3] = reps[2]!;
    reps[2] = reps[1]!;
    reps[1] = reps[0]!;
    reps[0] = distance;
    this.#state = this.#state < FIRST_MATCH_STATE ? 7 : 10;
    this.#copyMatch(distance, length, end);
    return true;
  }

  /** A match at one of the last four distances. */
  #repeat(positionState: number, end: number): void {
    const state = this.#state;
    const afterLiteral = state < FIRST_MATCH_STATE;
    if (this.#bit(IS_REP0 + state) === 0) {
      if (this.#bit(IS_REP0_LONG + state * MAX_POSITION_STATES + positionState) === 0) {
        this.#state = afterLiteral ? 9 : 11;
        this.#copyMatch(this.#reps[0]!, 1, end);
        return;
      }
    } else this.#promote(state);
    const length = this.#length(REP_LENGTH, positionState);
    this.#state = afterLiteral ? 8 : 11;
    this.#copyMatch(this.#reps[0]!, length, end);
  }

  /** Moves the second, third or fourth of the last distances to the front. */
  #promote(state: number): void {
    const reps = this.#reps;
    const index = this.#bit(IS_REP1 + state) === 0 ? 1 : this.#bit(IS_REP2 + state) === 0 ? 2 : 3;
    const distance = reps[index]!;
    reps.copyWithin(1, 0, index);
    reps[0] = distance;
  }

  #length(base: number, positionState: number): number {
    if (this.#bit(base) === 0) return MIN_MATCH + this.#tree(base + LENGTH_LOW + positionState * 8, 3);
    if (this.#bit(base + 1) === 0) {
      return MIN_MATCH + 8 + this.#tree(base + LENGTH_MID + positionState * 8, 3);
    }
    return MIN_MATCH + 16 + this.#tree(base + LENGTH_HIGH, 8);
  }

  /** One less than how far back the match is. */
  #distance(length: number): number {
    const lengthState = Math.min(length - MIN_MATCH, 3);
    const slot = this.#tree(POSITION_SLOT + lengthState * 64, 6);
    if (slot < FIRST_DIRECT_SLOT) return slot;
    const directBits = (slot >> 1) - 1;
    const base = ((2 | (slot & 1)) << directBits) >>> 0;
    if (slot < FIRST_ALIGNED_SLOT) {
      return base + this.#reverseTree(POSITION_SPECIAL + base - slot, directBits);
    }
    const high = this.#directBits(directBits - ALIGN_BITS) * (1 << ALIGN_BITS);
    return base + high + this.#reverseTree(ALIGN, ALIGN_BITS);
  }

  #tree(base: number, bits: number): number {
    let symbol = 1;
    for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.#bit(base + symbol);
    return symbol - (1 << bits);
  }

  #reverseTree(base: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.#bit(base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  #byteAt(distance: number): number {
    const source = this.position - distance - 1;
    if (source < this.#dictionaryStart) throw damaged('an LZMA match reaches before its dictionary');
    return this.#output[source]!;
  }

  #copyMatch(distance: number, length: number, end: number): void {
    const output = this.#output;
    let position = this.position;
    let source = position - distance - 1;
    const matchEnd = position + length;
    if (source < this.#dictionaryStart) throw damaged('an LZMA match reaches before its dictionary');
    if (matchEnd > end) throw damaged('an LZMA match goes past its end');
    this.position = matchEnd;
    if (length > SHORT_COPY_BYTES && distance === 0) {
      // Runs of zeros, above all, which are there already.
      if (output[source] !== 0) output.fill(output[source]!, position, matchEnd);
    } else if (length > SHORT_COPY_BYTES && distance >= length) {
      output.copyWithin(position, source, source + length);
    } else while (position < matchEnd) output[position++] = output[source++]!;
  }

  /** Decodes one bit and adapts its probability. */
  #bit(index: number): 0 | 1 {
    const coder = this.#range;
    const probabilities = this.#probabilities;
    const probability = probabilities[index]!;
    const range = coder[0]!;
    const code = coder[1]!;
    const bound = (range >>> PROBABILITY_BITS) * probability;
    if (code < bound) {
      probabilities[index] = probability + (((1 << PROBABILITY_BITS) - probability) >> ADAPTATION_SHIFT);
      coder[0] = bound;
      if (bound < TOP) this.#normalize();
      return 0;
    }
    probabilities[index] = probability - (probability >> ADAPTATION_SHIFT);
    coder[0] = range - bound;
    coder[1] = code - bound;
    if (range - bound < TOP) this.#normalize();
    return 1;
  }

  /** Bits of equal probability, the highest first. */
  #directBits(count: number): number {
    const coder = this.#range;
    let value = 0;
    for (let i = 0; i < count; i++) {
      const half = coder[0]! >>> 1;
      const bit = coder[1]! >= half ? 1 : 0;
      coder[0] = half;
      if (bit) coder[1]! -= half;
      value = value * 2 + bit;
      if (half < TOP) this.#normalize();
    }
    return value;
  }

  #normalize(): void {
    const coder = this.#range;
    coder[0]! <<= 8;
    coder[1] = (coder[1]! << 8) | this.#input[this.#at++]!;
  }
}

const ALONE_HEADER_BYTES = 13;

/** Unpacks a .lzma file, to its end marker or the length in its header; returns the bytes written. */
export function decodeLzmaAlone(input: Uint8Array, output: Uint8Array): number {
  if (input.length < ALONE_HEADER_BYTES) throw damaged('a .lzma header is cut short');
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const announced = view.getBigUint64(5, true);
  const isOpen = announced === 0xffff_ffff_ffff_ffffn;
  if (!isOpen && announced > BigInt(output.length)) {
    throw new DecodeError('too-large', 'LZMA data unpack to more than announced');
  }
  const decoder = new LzmaDecoder(output);
  decoder.setProperties(input[0]!);
  decoder.resetState();
  decoder.decode(input, ALONE_HEADER_BYTES, input.length, isOpen ? output.length : Number(announced));
  return decoder.position;
}
