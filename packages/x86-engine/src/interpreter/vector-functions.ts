/** What vector instructions do that is too long for each handler: comparisons of strings. */
import { offsetOf } from '../cpu-state.ts';
import { Expression, type FunctionCode, type Variable } from '../float/function-code.ts';
import { type Callee, define } from '../float/soft-function.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { BITMASK, SPLAT, VECTOR_BINARY } from '../wasm/vector-instructions.ts';

export interface VectorFunctions {
  /** (state, a, b, length of a, length of b, control) → a bit for each element of b. */
  readonly compareStrings: Callee;
}

export function addVectorFunctions(module: ModuleBuilder): VectorFunctions {
  return { compareStrings: addCompareStrings(module) };
}

/** The immediate's bits (Intel SDM Vol. 2B §4.1.1 "General Description" to §4.1.5 "Output Selection"). */
const CONTROL = { words: 1, signed: 2, aggregation: 0xc, negates: 0x10, onlyValid: 0x20 } as const;
const AGGREGATION = { equalAny: 0, ranges: 4, equalEach: 8, equalOrdered: 12 } as const;

interface Strings {
  readonly a: Variable;
  readonly b: Variable;
  readonly aLength: Variable;
  readonly bLength: Variable;
  readonly shape: 'i8x16' | 'i16x8';
  readonly count: number;
}

const i32 = (value: number): Expression => Expression.constant('i32', value);

function addCompareStrings(module: ModuleBuilder): Callee {
  const parameters = ['v128', 'v128', 'i32', 'i32', 'i32'] as const;
  return define(module, parameters, 'i32', (f, a, b, aLength, bLength, control) => {
    const found = f.let(i32(0));
    const write = (shape: 'i8x16' | 'i16x8', count: number) => {
      const strings: Strings = { ...{ a: a!, b: b!, aLength: aLength!, bLength: bLength! }, shape, count };
      makeUnsigned(f, strings, control!);
      writeAggregation(f, strings, control!, found);
    };
    f.when(
      control!.and(CONTROL.words),
      () => write('i16x8', 8),
      () => write('i8x16', 16),
    );
    f.when(control!.and(CONTROL.negates), () => {
      const all = i32(0xff).orElse(control!.and(CONTROL.words), 0xffff);
      found.set(found.xor(ones(bLength!).orElse(control!.and(CONTROL.onlyValid), all)));
    });
    f.result(found);
  });
}

/** As many ones as a length says, from the bottom. */
const ones = (length: Expression): Expression => i32(1).shl(length).sub(1);

/** Turning the signs over keeps the order of signed numbers among unsigned ones. */
function makeUnsigned(f: FunctionCode, { a, b, shape }: Strings, control: Expression): void {
  f.when(control.and(CONTROL.signed), () => {
    const signs = i32(shape === 'i8x16' ? 0x80 : 0x8000).vector(SPLAT[shape]);
    for (const string of [a, b]) string.set(string.vector(VECTOR_BINARY['v128.xor'], signs));
  });
}

function writeAggregation(f: FunctionCode, strings: Strings, control: Expression, found: Variable): void {
  const { a, b, aLength, bLength, shape, count } = strings;
  const is = (aggregation: number) => control.and(CONTROL.aggregation).eq(aggregation);
  const all = 2 ** count - 1;
  f.state.emit(f);
  a.emit(f);
  f.store(128, offsetOf('vectorScratch'));
  f.when(is(AGGREGATION.equalAny), () => {
    eachElement(f, strings, 1, (at) => found.set(found.or(equal(strings, element(f, strings, at)))));
    found.set(found.and(ones(bLength)));
  });
  f.when(is(AGGREGATION.ranges), () => {
    eachElement(f, strings, 2, (at) => found.set(found.or(within(f, strings, at))));
    found.set(found.and(ones(bLength)));
  });
  f.when(is(AGGREGATION.equalEach), () => {
    const same = a.vector(VECTOR_BINARY[`${shape}.eq`], b).vector(BITMASK[shape], undefined, 'i32');
    const both = ones(aLength).and(ones(bLength));
    const neither = ones(aLength).or(ones(bLength)).xor(all);
    found.set(same.and(both).or(neither));
  });
  f.when(is(AGGREGATION.equalOrdered), () => {
    found.set(all);
    eachElement(f, strings, 1, (at) => {
      const matches = equal(strings, element(f, strings, at))
        .and(ones(bLength))
        .shr(at);
      // What would be compared with elements beyond the vector is not.
      const beyond = ones(i32(count).sub(at)).xor(all);
      found.set(found.and(matches.or(beyond)));
    });
  });
}

/** For places in the first string, up to its length. */
function eachElement(
  f: FunctionCode,
  { aLength }: Strings,
  step: number,
  body: (at: Variable) => void,
): void {
  const at = f.let(i32(0));
  const isLeft = () => at.add(step - 1).ltU(aLength);
  f.when(isLeft(), () =>
    f.repeat(() => {
      body(at);
      at.set(at.add(step));
      return isLeft();
    }),
  );
}

/** The first string's element at a place, in all lanes. */
function element(f: FunctionCode, { shape }: Strings, at: Expression): Expression {
  const isBytes = shape === 'i8x16';
  const value = new Expression('i32', (code) => {
    f.state.add(isBytes ? at : at.shl(1)).emit(code);
    code.load(isBytes ? 8 : 16, offsetOf('vectorScratch'));
  });
  return value.vector(SPLAT[shape]);
}

/** Bits of the second string's elements that are the same. */
function equal({ b, shape }: Strings, wanted: Expression): Expression {
  return b.vector(VECTOR_BINARY[`${shape}.eq`], wanted).vector(BITMASK[shape], undefined, 'i32');
}

/** And that are in the range that begins at a place. */
function within(f: FunctionCode, strings: Strings, at: Expression): Expression {
  const { b, shape } = strings;
  const above = b.vector(VECTOR_BINARY[`${shape}.ge_u`], element(f, strings, at));
  const below = b.vector(VECTOR_BINARY[`${shape}.le_u`], element(f, strings, at.add(1)));
  return above.vector(VECTOR_BINARY['v128.and'], below).vector(BITMASK[shape], undefined, 'i32');
}
