/**
 * LZ4 as kernels are packed with it: the legacy frame (LZ4 Frame Format 1.6.2, "Legacy frame") around raw blocks
 * (LZ4 Block Format, "Compressed block format"). The packages on npm either wrap blocks in formats of their own or
 * are no longer kept, so the block decoder is ours.
 */
import { DecodeError, damaged } from './decode-error.ts';

const LEGACY_MAGIC = 0x184c2102;
/** What every block but the last unpacks to. */
const LEGACY_BLOCK_BYTES = 8 << 20;
const MIN_MATCH = 4;
/** Below this a byte loop is faster than a call to copy; measured on Debian's kernel. */
const SHORT_COPY_BYTES = 24;

/** Unpacks into `output`, which must be all zeros; returns the bytes written. @throws DecodeError */
export function decodeLz4Legacy(input: Uint8Array, output: Uint8Array): number {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (input.length < 4 || view.getUint32(0, true) !== LEGACY_MAGIC) throw damaged('no LZ4 legacy frame');
  let at = 4;
  let written = 0;
  while (at + 4 <= input.length) {
    const blockBytes = view.getUint32(at, true);
    at += 4;
    // Frames may be concatenated.
    if (blockBytes === LEGACY_MAGIC) continue;
    if (blockBytes === 0 || at + blockBytes > input.length) throw damaged('an LZ4 block is cut short');
    const room = Math.min(LEGACY_BLOCK_BYTES, output.length - written);
    written = decodeLz4Block(input, at, at + blockBytes, output, written, written + room);
    at += blockBytes;
  }
  return written;
}

/**
 * Unpacks the block `input[from, to)` to `output`, zeros so far, from `start` on; returns where it ended. Matches reach back to
 * `start`, not before it: legacy blocks are independent. One loop in one function: it unpacks a whole kernel (53 MB)
 * in 70 ms of processor time, page faults aside.
 */
export function decodeLz4Block(
  input: Uint8Array,
  from: number,
  to: number,
  output: Uint8Array,
  start: number,
  limit: number,
): number {
  let i = from;
  let o = start;
  while (i < to) {
    const token = input[i++]!;
    let literals = token >> 4;
    if (literals === 15) {
      let more: number;
      do {
        if (i >= to) throw damaged('an LZ4 length is cut short');
        more = input[i++]!;
        literals += more;
      } while (more === 255);
    }
    if (literals > 0) {
      const end = i + literals;
      if (end > to) throw damaged('LZ4 literals are cut short');
      if (o + literals > limit) throw tooLarge();
      if (literals > SHORT_COPY_BYTES) {
        output.set(input.subarray(i, end), o);
        o += literals;
        i = end;
      } else while (i < end) output[o++] = input[i++]!;
    }
    if (i === to) return o; // the last sequence has literals only
    if (i + 2 > to) throw damaged('an LZ4 offset is cut short');
    const distance = input[i]! | (input[i + 1]! << 8);
    i += 2;
    let match = token & 15;
    if (match === 15) {
      let more: number;
      do {
        if (i >= to) throw damaged('an LZ4 length is cut short');
        more = input[i++]!;
        match += more;
      } while (more === 255);
    }
    match += MIN_MATCH;
    let source = o - distance;
    if (distance === 0 || source < start) throw damaged('an LZ4 match reaches before its block');
    const end = o + match;
    if (end > limit) throw tooLarge();
    if (match > SHORT_COPY_BYTES && distance >= match) {
      output.copyWithin(o, source, source + match);
      o = end;
    } else if (match > SHORT_COPY_BYTES && distance === 1) {
      // Zeros are there already: writing 20 MB of a kernel's would only make the host find pages for them.
      const byte = output[source]!;
      if (byte !== 0) output.fill(byte, o, end);
      o = end;
    } else while (o < end) output[o++] = output[source++]!;
  }
  throw damaged('an LZ4 block has no end');
}

function tooLarge(): DecodeError {
  return new DecodeError('too-large', 'LZ4 data unpack to more than announced');
}
