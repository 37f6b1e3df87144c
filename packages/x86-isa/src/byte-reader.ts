/** Reads instruction bytes, up to the 15 that an instruction may have (Intel SDM Vol. 2A §2.3.11 "AVX Instruction Length"). */

export const MAX_INSTRUCTION_BYTES = 15;

/** There are no more bytes: of the instruction, or of what could be fetched. */
export class OutOfBytes extends Error {}

export class ByteReader {
  readonly #view: DataView;
  readonly #end: number;
  #at: number;
  readonly #start: number;

  constructor(bytes: Uint8Array, start = 0) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#start = start;
    this.#at = start;
    this.#end = Math.min(bytes.length, start + MAX_INSTRUCTION_BYTES);
  }

  get lengthBytes(): number {
    return this.#at - this.#start;
  }

  /** The byte that comes next, or so many behind it. */
  peek(ahead = 0): number {
    if (this.#at + ahead >= this.#end) throw new OutOfBytes();
    return this.#view.getUint8(this.#at + ahead);
  }

  byte(): number {
    const value = this.peek();
    this.#at++;
    return value;
  }

  /** Little-endian, sign-extended. */
  signed(lengthBytes: 1 | 2 | 3 | 4 | 8): bigint {
    const at = this.#at;
    if (at + lengthBytes > this.#end) throw new OutOfBytes();
    this.#at += lengthBytes;
    if (lengthBytes === 8) return this.#view.getBigInt64(at, true);
    if (lengthBytes === 4) return BigInt(this.#view.getInt32(at, true));
    if (lengthBytes === 3) return BigInt(this.#view.getUint16(at, true) | (this.#view.getInt8(at + 2) << 16));
    return BigInt(lengthBytes === 2 ? this.#view.getInt16(at, true) : this.#view.getInt8(at));
  }
}
