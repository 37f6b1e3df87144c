/**
 * The x86 branch filter of .xz files (XZ Utils, liblzma/simple/x86.c; .xz file format 1.1.0 §5.3.2 "Branch/Call/Jump
 * Filters for Executables"): the packer made the targets of CALL and JMP absolute, so that they compress better;
 * this makes them relative again.
 */

/** Whether a prefix of 0xE8/0xE9 bytes just before still allows a conversion, by which of the last three were. */
const MASK_ALLOWED = [true, true, true, false, true, false, false, false];
const MASK_BIT = [0, 1, 2, 2, 3, 3, 3, 3];

/** Undoes the filter in place. `data` is all that one block unpacked to. */
export function decodeBcjX86(data: Uint8Array): void {
  let previous = -1;
  let mask = 0;
  for (let i = 0; i + 4 < data.length; i++) {
    if ((data[i]! & 0xfe) !== 0xe8) continue;
    const gap = i - previous;
    previous = i;
    if (gap > 3) mask = 0;
    else {
      mask = (mask << (gap - 1)) & 7;
      if (mask !== 0) {
        const byte = data[i + 4 - MASK_BIT[mask]!]!;
        if (!MASK_ALLOWED[mask] || isSignByte(byte)) {
          mask = (mask << 1) | 1;
          continue;
        }
      }
    }
    if (!isSignByte(data[i + 4]!)) {
      mask = (mask << 1) | 1;
      continue;
    }
    writeTarget(data, i + 1, relativeTarget(readTarget(data, i + 1), i + 5, mask));
    i += 4;
    mask = 0;
  }
}

/** Converts once, and again while the result would have been mistaken for an unconverted target. */
function relativeTarget(absolute: number, next: number, mask: number): number {
  let source = absolute;
  for (;;) {
    const target = (source - next) | 0;
    if (mask === 0) return target;
    const shift = MASK_BIT[mask]! * 8;
    if (!isSignByte((target >>> (24 - shift)) & 0xff)) return target;
    source = target ^ ((1 << (32 - shift)) - 1);
  }
}

/** The top byte of a 25-bit target, sign-extended. */
function isSignByte(byte: number): boolean {
  return byte === 0x00 || byte === 0xff;
}

function readTarget(data: Uint8Array, at: number): number {
  return data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
}

function writeTarget(data: Uint8Array, at: number, target: number): void {
  data[at] = target;
  data[at + 1] = target >> 8;
  data[at + 2] = target >> 16;
  // Bit 24 is the sign; the byte is 0x00 or 0xFF.
  data[at + 3] = target & (1 << 24) ? 0xff : 0x00;
}
