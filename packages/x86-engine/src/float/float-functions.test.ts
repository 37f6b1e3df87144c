import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CPU_STATE_STRIDE_BYTES, offsetOf } from '../cpu-state.ts';
import { ModuleBuilder } from '../wasm/module-builder.ts';
import { addFloatFunctions } from './float-functions.ts';
import { EXCEPTION, MXCSR_INITIAL, ROUND } from './mxcsr.ts';

const STATE = CPU_STATE_STRIDE_BYTES;
const RC_SHIFT = 13;
const PAGES = 2;

const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
const view = new DataView(memory.buffer);
const functions = instantiate();

function instantiate(): Readonly<Record<string, unknown>> {
  const module = new ModuleBuilder({ minimumPages: PAGES, maximumPages: PAGES });
  const { binary, sqrt, approximate, resize, settle } = addFloatFunctions(module);
  for (const [name, shapes] of Object.entries(binary)) {
    module.export(`${name}64`, shapes.f64.index);
    module.export(`${name}32`, shapes.f32.index);
  }
  module.export('sqrt64', sqrt.f64.index);
  module.export('narrow', resize[32].index);
  for (const [name, { index }] of Object.entries({ ...approximate, settle })) module.export(name, index);
  return new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { host: { memory } }).exports;
}

interface Outcome<T> {
  readonly result: T;
  readonly flags: number;
}

function run<T>(name: string, mxcsr: number, ...operands: readonly T[]): Outcome<T> {
  view.setUint32(STATE + offsetOf('mxcsr'), mxcsr, true);
  view.setUint32(STATE + offsetOf('floatFlags'), 0, true);
  const result = (functions[name] as (state: number, ...operands: readonly T[]) => T)(STATE, ...operands);
  return { result, flags: view.getUint32(STATE + offsetOf('floatFlags'), true) };
}

const scratch = new DataView(new ArrayBuffer(8));

function toDouble(bits: bigint): number {
  scratch.setBigUint64(0, BigInt.asUintN(64, bits));
  return scratch.getFloat64(0);
}

function fromDouble(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigInt64(0);
}

function toSingle(bits: number): number {
  scratch.setInt32(0, bits);
  return scratch.getFloat32(0);
}

function fromSingle(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getInt32(0);
}

const ARITHMETIC: Readonly<Record<'add' | 'sub' | 'mul' | 'div', (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
};
const NAMES = Object.keys(ARITHMETIC) as (keyof typeof ARITHMETIC)[];

/** Doubles of all exponents, some of them close together. */
const doubles = fc
  .tuple(
    fc.boolean(),
    fc.oneof(fc.integer({ min: 0, max: 2047 }), fc.integer({ min: 1000, max: 1050 })),
    fc.bigInt({ min: 0n, max: (1n << 52n) - 1n }),
  )
  .map(([negative, exponent, fraction]) =>
    BigInt.asIntN(64, (negative ? 1n << 63n : 0n) | (BigInt(exponent) << 52n) | fraction),
  );
const singles = fc.integer();

const isFiniteDouble = (bits: bigint): boolean => Number.isFinite(toDouble(bits));
const checked = { seed: 3, numRuns: 2000 };

/** A finite double as an integer times 2^-1074. */
function exact(bits: bigint): bigint {
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & ((1n << 52n) - 1n);
  const size = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return bits < 0n ? -size : size;
}

describe('in software', () => {
  for (const name of NAMES) {
    test(`${name} of doubles rounds to nearest as the host does`, () => {
      fc.assert(
        fc.property(doubles, doubles, (a, b) => {
          const expected = ARITHMETIC[name](toDouble(a), toDouble(b));
          fc.pre(!Number.isNaN(expected));
          assert.equal(run(`${name}64`, MXCSR_INITIAL, a, b).result, fromDouble(expected));
        }),
        checked,
      );
    });

    test(`${name} of singles rounds to nearest as the host does`, () => {
      fc.assert(
        fc.property(singles, singles, (a, b) => {
          const expected = Math.fround(ARITHMETIC[name](toSingle(a), toSingle(b)));
          fc.pre(!Number.isNaN(expected));
          assert.equal(run(`${name}32`, MXCSR_INITIAL, a, b).result, fromSingle(expected));
        }),
        checked,
      );
    });

    test(`${name}: the directed results enclose the one to nearest, and are the same if it is exact`, () => {
      const rounded = (mode: number, a: bigint, b: bigint) =>
        run(`${name}64`, MXCSR_INITIAL | (mode << RC_SHIFT), a, b);
      fc.assert(
        fc.property(doubles, doubles, (a, b) => {
          const nearest = rounded(ROUND.nearest, a, b);
          fc.pre(isFiniteDouble(a) && isFiniteDouble(b) && isFiniteDouble(nearest.result));
          const [down, up] = [rounded(ROUND.down, a, b).result, rounded(ROUND.up, a, b).result];
          assert.ok(toDouble(down) <= toDouble(nearest.result) && toDouble(nearest.result) <= toDouble(up));
          assert.equal((nearest.flags & EXCEPTION.PE) === 0, toDouble(down) === toDouble(up));
        }),
        checked,
      );
    });
  }

  test('a sum sets PE if and only if it is not exact', () => {
    fc.assert(
      fc.property(doubles, doubles, (a, b) => {
        const { result, flags } = run<bigint>('add64', MXCSR_INITIAL, a, b);
        fc.pre(isFiniteDouble(a) && isFiniteDouble(b) && isFiniteDouble(result));
        assert.equal((flags & EXCEPTION.PE) !== 0, exact(a) + exact(b) !== exact(result));
      }),
      checked,
    );
  });

  test('a root rounds as the host does', () => {
    fc.assert(
      fc.property(doubles, (a) => {
        fc.pre(toDouble(a) >= 0);
        assert.equal(run('sqrt64', MXCSR_INITIAL, a).result, fromDouble(Math.sqrt(toDouble(a))));
      }),
      checked,
    );
  });
});

test('the fast way gives what software gives, NaNs included', () => {
  fc.assert(
    fc.property(fc.constantFrom(...NAMES, 'min', 'max'), doubles, doubles, (name, a, b) => {
      const soft = run<bigint>(`${name}64`, MXCSR_INITIAL, a, b);
      const fast = run<bigint>(`${name}64`, MXCSR_INITIAL | EXCEPTION.PE, a, b);
      assert.equal(fast.result, soft.result);
      assert.equal(fast.flags | EXCEPTION.PE, soft.flags | EXCEPTION.PE);
    }),
    checked,
  );
});

test('what is tiny sets UE even if it is rounded up to the least normal number (Intel SDM Vol. 1 §4.9.1.5)', () => {
  // A significand of ones only, which a denormal has one bit too few for.
  const ones64 = 0x1fff_ffff_ffff_ffffn;
  const ones32 = 0x1fff_ffff;
  const half = fromDouble(2 ** -511);
  for (const mxcsr of [MXCSR_INITIAL, MXCSR_INITIAL | EXCEPTION.PE]) {
    const flags = EXCEPTION.UE | EXCEPTION.PE;
    assert.deepEqual(run('mul64', mxcsr, ones64, half), { result: 1n << 52n, flags });
    assert.deepEqual(run('div64', mxcsr, ones64, fromDouble(2 ** 511)), { result: 1n << 52n, flags });
    const single = fromSingle(2 ** -127 / toSingle(0x1f80_0000));
    assert.deepEqual(run('mul32', mxcsr, ones32, single), { result: 1 << 23, flags });
    assert.deepEqual(run('narrow', mxcsr, fromDouble((1 - 2 ** -24) * 2 ** -126)), {
      result: 1n << 23n,
      flags,
    });
  }
});

test('the first operand is the NaN that is returned, quiet (Intel SDM Vol. 1 §4.8.3.5, Table 4-7)', () => {
  const signaling = 0x7ff0_0000_0000_0001n;
  const quiet = 0x7ff8_0000_0000_0002n;
  const add = (a: bigint, b: bigint) => run<bigint>('add64', MXCSR_INITIAL, a, b);
  assert.deepEqual(add(signaling, quiet), { result: 0x7ff8_0000_0000_0001n, flags: EXCEPTION.IE });
  assert.deepEqual(add(quiet, signaling), { result: quiet, flags: EXCEPTION.IE });
  assert.deepEqual(add(quiet, 0n), { result: quiet, flags: 0 });
  const infinity = 0x7ff0_0000_0000_0000n;
  const indefinite = BigInt.asIntN(64, 0xfff8_0000_0000_0000n);
  assert.deepEqual(run<bigint>('sub64', MXCSR_INITIAL, infinity, infinity), {
    result: indefinite,
    flags: EXCEPTION.IE,
  });
});

test('an unmasked exception is told, and its flag set', () => {
  const unmasked = MXCSR_INITIAL & ~(EXCEPTION.ZE << 7);
  run('div64', unmasked, fromDouble(1), 0n);
  assert.equal((functions['settle'] as (state: number) => number)(STATE), 1);
  assert.equal(view.getUint32(STATE + offsetOf('mxcsr'), true), unmasked | EXCEPTION.ZE);
  run('div64', MXCSR_INITIAL, fromDouble(1), 0n);
  assert.equal((functions['settle'] as (state: number) => number)(STATE), 0);
});

test('approximations are within 1.5 · 2^-12 (Intel SDM Vol. 2B "RCPPS", "RSQRTPS")', () => {
  const bound = 1.5 * 2 ** -12;
  fc.assert(
    fc.property(fc.integer({ min: 0x0080_0000, max: 0x7e7f_ffff }), (bits) => {
      const x = toSingle(bits);
      const of = (name: string) => toSingle(Number(run<bigint>(name, MXCSR_INITIAL, BigInt(bits)).result));
      assert.ok(Math.abs(of('reciprocal') * x - 1) <= bound);
      assert.ok(Math.abs(of('reciprocal-root') * Math.sqrt(x) - 1) <= bound);
    }),
    checked,
  );
});
