import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bind } from './libc.ts';
import { trimHeap } from './malloc.ts';

const PIECES = 2000;
/** Below glibc's threshold for a mapping of its own (mallopt(3) M_MMAP_THRESHOLD). */
const PIECE_BYTES = 64 * 1024;

function residentKib(): number {
  return Number(/^Rss: +(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'latin1'))?.[1]);
}

test('freed memory that the heap has kept goes back to the system', () => {
  const calloc = bind<(count: number, size: number) => number>('intptr_t calloc(size_t, size_t)');
  const free = bind<(address: number) => void>('void free(intptr_t)');
  const memset = bind<(at: number, byte: number, length: number) => number>(
    'intptr_t memset(intptr_t, int, size_t)',
  );
  const pieces = Array.from({ length: PIECES }, () => calloc(1, PIECE_BYTES));
  for (const piece of pieces) memset(piece, 1, PIECE_BYTES);
  // The last one stays, so that the heap's end cannot simply be cut off.
  for (const piece of pieces.slice(0, -1)) free(piece);
  const before = residentKib();
  trimHeap();
  const givenBackKib = before - residentKib();
  free(pieces.at(-1)!);
  assert.ok(givenBackKib > (PIECES * PIECE_BYTES) / 1024 / 2, `${givenBackKib} KiB`);
});
