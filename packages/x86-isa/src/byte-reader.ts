/** Reads instruction bytes, up to the 15 that an instruction may have (Intel SDM Vol. 2A §2.3.11 "AVX Instruction Length"). */

export const MAX_INSTRUCTION_BYTES = 15;

const EMPTY = new Uint8Array(0);

/**
 * Made once and used for every instruction. Behind the last byte, of the instruction or of what could be fetched, it reads
 * zeros and says so afterwards: an exception would cost more than all else that decoding does.
 */
export class ByteReader {
  #bytes: Uint8Array = EMPTY;
  #start = 0;
  #at = 0;
  #end = 0;
  #overrun = false;

  startAt(bytes: Uint8Array, start: number): void {
    this.#bytes = bytes;
    this.#start = start;
    this.#at = start;
    this.#end = Math.min(bytes.length, start + MAX_INSTRUCTION_BYTES);
    this.#overrun = false;
  }

  /** Whether more was asked for than there is. */
  get overrun(): boolean {
    return this.#overrun;
  }

  get lengthBytes(): number {
    return this.#at - this.#start;
  }

  /** The byte that comes next. */
  peek(): number {
    if (this.#at < this.#end) return this.#bytes[this.#at]!;
    this.#overrun = true;
    return 0;
  }

  byte(): number {
    const value = this.peek();
    this.#at++;
    return value;
  }

  /** Little-endian, sign-extended. */
  signed(lengthBytes: 1 | 2 | 3 | 4): number {
    const at = this.#at;
    this.#at = at + lengthBytes;
    if (this.#at > this.#end) {
      this.#overrun = true;
      return 0;
    }
    const bytes = this.#bytes;
    if (lengthBytes === 1) return (bytes[at]! << 24) >> 24;
    const low = bytes[at]! | (bytes[at + 1]! << 8);
    if (lengthBytes === 2) return (low << 16) >> 16;
    if (lengthBytes === 3) return low | ((bytes[at + 2]! << 24) >> 8);
    return low | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  }

  signed64(): bigint {
    const low = this.signed(4);
    const high = this.signed(4);
    return (BigInt(high) << 32n) | BigInt(low >>> 0);
  }
}
