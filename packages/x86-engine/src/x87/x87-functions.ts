/** All x87 functions of a module. */
import type { X87Binary, X87Comparison, X87Split, X87Unary } from '@vireo/x86-isa';
import type { Callee } from '../float/soft-function.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { addBinary, addCompare, addExamine, addSplit, addUnary } from './calculation.ts';
import {
  addNarrowExtended,
  addNarrowFloat,
  addNarrowInteger,
  addPushDecimal,
  addPushExtended,
  addPushFloat,
  addWiden,
  addWidenNormal,
} from './conversion.ts';
import type { Float80Functions } from './float80-imports.ts';
import { addSettle, addUpdatePending, procedure } from './settle.ts';
import { operandSlot, perform } from './stack.ts';
import { addFullTags } from './tag-word.ts';
import { addExchange, addMove, addPush, addPushCopy, free, pop, rotate } from './transfer.ts';

const UNARY = ['fabs', 'fchs', 'frndint', 'fsqrt', 'f2xm1', 'fsin', 'fcos'] as const;
const BINARY = [
  ...(['fadd', 'fsub', 'fmul', 'fdiv', 'fprem', 'fprem1', 'fscale', 'fyl2x', 'fyl2xp1', 'fpatan'] as const),
];
const SPLIT = ['fxtract', 'fsincos', 'fptan'] as const;
const COMPARISONS = ['fcom', 'fucom'] as const;

/** Functions of the state and what is said, and procedures, which are indices only. */
export interface X87Functions {
  readonly unary: Readonly<Record<X87Unary, Callee>>;
  /** (destination, a, b, more bits for the control word) */
  readonly binary: Readonly<Record<X87Binary, Callee>>;
  readonly split: Readonly<Record<X87Split, Callee>>;
  /** (b, more bits for the control word) → flags */
  readonly compare: Readonly<Record<X87Comparison, Callee>>;
  readonly examine: Callee;
  /** (number) → more bits for the control word */
  readonly widen: Readonly<Record<32 | 64, Callee>>;
  /** A procedure: (number of 64 bits) */
  readonly widenInteger: number;
  /** By format and bits. */
  readonly push: Readonly<Record<'float32' | 'float64' | 'float80' | 'integer64' | 'decimal80', Callee>>;
  readonly pushCopy: Callee;
  readonly pushConstant: Callee;
  readonly narrow: Readonly<Record<string, Callee>>;
  /** (destination, source, 1) */
  readonly move: Callee;
  /** (destination, source, condition) */
  readonly moveIf: Callee;
  readonly exchange: Callee;
  /** (flags, condition codes) */
  readonly settle: Callee;
  /** Procedures: (), (by how much), (place), (). */
  readonly pop: number;
  readonly rotate: number;
  readonly free: number;
  readonly updatePending: number;
  /** → the tag word of 16 bits */
  readonly fullTags: Callee;
}

function forEach<Name extends string>(
  names: readonly Name[],
  make: (name: Name) => Callee,
): Record<Name, Callee> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, Callee>;
}

export function addX87Functions(module: ModuleBuilder, float80: Float80Functions): X87Functions {
  const settle = addSettle(module);
  const normal = { 32: addWidenNormal(module, 32), 64: addWidenNormal(module, 64) };
  return {
    unary: forEach(UNARY, (name) => addUnary(module, settle, float80, name)),
    binary: forEach(BINARY, (name) => addBinary(module, settle, float80, name)),
    split: forEach(SPLIT, (name) => addSplit(module, settle, float80, name)),
    compare: forEach(COMPARISONS, (name) => addCompare(module, float80, name)),
    examine: addExamine(module, settle, float80),
    widen: {
      32: addWiden(module, float80, 32, normal[32]),
      64: addWiden(module, float80, 64, normal[64]),
    },
    widenInteger: procedure(module, ['i64'], (f, value) => perform(f, float80.fild, operandSlot(f), value!)),
    push: {
      float32: addPushFloat(module, settle, float80, 32, normal[32]),
      float64: addPushFloat(module, settle, float80, 64, normal[64]),
      float80: addPushExtended(module, settle),
      integer64: addPush(module, settle, ['i64'], (f, slot, _, value) =>
        perform(f, float80.fild, slot, value!),
      ),
      decimal80: addPushDecimal(module, settle, float80),
    },
    pushCopy: addPushCopy(module, settle),
    pushConstant: addPush(module, settle, ['i32'], (f, slot, _, index) =>
      perform(f, float80.fldconst, slot, index!, f.field('x87Control')),
    ),
    narrow: addNarrowing(module, float80),
    move: addMove(module, settle, false),
    moveIf: addMove(module, settle, true),
    exchange: addExchange(module, settle),
    settle,
    pop: procedure(module, [], pop),
    rotate: procedure(module, ['i32'], (f, by) => rotate(f, by!)),
    free: procedure(module, ['i32'], (f, place) => free(f, place!)),
    updatePending: addUpdatePending(module),
    fullTags: addFullTags(module),
  };
}

function addNarrowing(module: ModuleBuilder, float80: Float80Functions): Record<string, Callee> {
  return {
    float32: addNarrowFloat(module, float80, 32),
    float64: addNarrowFloat(module, float80, 64),
    float80: addNarrowExtended(module),
    integer16: addNarrowInteger(module, float80.fist16, 16),
    integer32: addNarrowInteger(module, float80.fist32, 32),
    integer64: addNarrowInteger(module, float80.fist64, 64),
    'truncated-integer16': addNarrowInteger(module, float80.fisttp16, 16),
    'truncated-integer32': addNarrowInteger(module, float80.fisttp32, 32),
    'truncated-integer64': addNarrowInteger(module, float80.fisttp64, 64),
    decimal80: addNarrowInteger(module, float80.fbstp, 80),
  };
}
