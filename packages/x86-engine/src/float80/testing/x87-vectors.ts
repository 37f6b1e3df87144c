/**
 * What a processor's own x87 does: instructions with operands that its behaviour turns on, recorded on an AMD EPYC
 * (family 26, model 2). One list for each instruction:
 *
 *     name's length (1), name, number of vectors (2), vectors
 *     vector: control word (2), status word after (2), a (10), b (10), result (10), second result (10)
 *
 * a was in ST(0) and b in ST(1). For instructions with a memory operand a is that operand's bytes and b was in ST(0).
 * The result is ST(0) after, or the memory operand after, which was all CCH before.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

export interface Vector {
  readonly control: number;
  readonly status: number;
  readonly a: Uint8Array;
  readonly b: Uint8Array;
  readonly result: Uint8Array;
  readonly second: Uint8Array;
}

const VECTOR_BYTES = 44;

export function readX87Vectors(): Map<string, Vector[]> {
  const bytes = gunzipSync(readFileSync(join(import.meta.dirname, '../fixtures/x87-vectors.gz')));
  const lists = new Map<string, Vector[]>();
  for (let offset = 0; offset < bytes.length; ) {
    const start = offset + 1 + bytes[offset]!;
    const name = bytes.toString('latin1', offset + 1, start);
    const count = bytes.readUInt16LE(start);
    const vectorAt = (index: number) => decode(bytes.subarray(start + 2 + index * VECTOR_BYTES));
    lists.set(
      name,
      Array.from({ length: count }, (_, index) => vectorAt(index)),
    );
    offset = start + 2 + count * VECTOR_BYTES;
  }
  return lists;
}

function decode(bytes: Buffer): Vector {
  const field = (index: number) => new Uint8Array(bytes.subarray(4 + index * 10, 14 + index * 10));
  return {
    control: bytes.readUInt16LE(0),
    status: bytes.readUInt16LE(2),
    a: field(0),
    b: field(1),
    result: field(2),
    second: field(3),
  };
}
