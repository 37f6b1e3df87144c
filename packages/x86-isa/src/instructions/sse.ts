/** The families of vector instructions. */
import type { Instruction } from '../instruction.ts';
import { AES } from './aes.ts';
import { CRYPTO } from './crypto.ts';
import { MMX } from './mmx.ts';
import { SSE_CACHE } from './sse-cache.ts';
import { SSE_CONVERSIONS } from './sse-conversions.ts';
import { SSE_FLOAT } from './sse-float.ts';
import { SSE_INTEGER } from './sse-integer.ts';
import { SSE_LANES } from './sse-lanes.ts';
import { SSE_MOVES } from './sse-moves.ts';
import { SSE_SHIFTS } from './sse-shifts.ts';
import { SSE_SHUFFLE } from './sse-shuffle.ts';
import { SSE_STRINGS } from './sse-strings.ts';
import { SSE_TEST } from './sse-test.ts';

export const SSE: readonly Instruction[] = [
  ...[...SSE_MOVES, ...SSE_INTEGER, ...SSE_SHIFTS, ...SSE_SHUFFLE, ...SSE_LANES, ...SSE_TEST, ...SSE_CACHE],
  ...[...SSE_FLOAT, ...SSE_CONVERSIONS, ...SSE_STRINGS, ...MMX, ...AES, ...CRYPTO],
];
