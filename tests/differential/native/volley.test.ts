/** A volley is an optimisation: what it returns is what its cases return one by one. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { LAYOUT } from './address-space.ts';
import { INITIAL_FXSAVE, RFLAGS_FIXED, RFLAGS_SETTABLE } from './machine-state.ts';
import { type NativeCase, Silicon } from './silicon.ts';
import { volleyLength } from './volley.ts';
import { MAX_RECORDS } from './volley-code.ts';

const skip = Silicon.unavailable() ?? false;

const CODE = BigInt(LAYOUT.codeGva);
const DATA = LAYOUT.dataGva;
const DATA_END = DATA + LAYOUT.dataLengthBytes;
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

/** Registers, memory, flags, faults, x87, SSE, and what no volley can hold: jumps, traps, system calls. */
const INSTRUCTIONS = [
  ...['48 01 d8', '66 11 d8', '48 f7 e3', '48 f7 f3', 'f6 fb', 'd3 c0', '48 0f bd c3', '0f 44 c3', '0f c8'],
  ...[
    '48 01 03',
    '48 8b 00',
    '8a 18',
    '48 87 1f',
    'f0 48 0f c1 1f',
    '48 0f bb 1f',
    'f0 0f b1 1f',
    'c7 07 01 02 03 04',
  ],
  ...['50', '41 5f', '9c', 'c8 20 00 00', 'c9', '48 89 c4', '49 89 c7', '4c 89 f8'],
  ...[
    'a4',
    'f3 a4',
    'f3 48 ab',
    'f2 ae',
    'f3 a6',
    'fd',
    'fc',
    'f9',
    '9e',
    '9f',
    '8e d0',
    '64 8b 07',
    '8e e0',
  ],
  ...[
    '0f 58 c1',
    '66 0f 28 07',
    '0f 5e c1',
    'f2 48 0f 2d c1',
    'd8 c1',
    'd9 07',
    'db 3f',
    'df e0',
    '0f 77',
    'd9 f2',
  ],
  ...[
    '0f 0b',
    'f4',
    'ff e0',
    'c3',
    '74 01',
    '75 00',
    'e2 fe',
    'cc',
    '0f 05',
    '9d',
    '0f ae 17',
    'c5 f8 58 c1',
    'eb 00',
  ],
].map(bytes);

const quadword = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const value = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: DATA, max: DATA + 128 }).map(BigInt) },
  fc.integer({ min: DATA_END - 24, max: DATA_END + 8 }).map(BigInt),
  fc.integer({ min: 0, max: 40 }).map(BigInt),
  quadword,
);
const fxsave = fc
  .record({
    xmm: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    st: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  })
  .chain(({ xmm, st }) =>
    fc.constantFrom(0x1f80, 0x1d80, 0x0000, 0x7f80).map((mxcsr) => {
      const area = INITIAL_FXSAVE.slice();
      new DataView(area.buffer).setUint32(24, mxcsr, true);
      area[4] = 0x83; // ST0, ST1 and ST7 in use
      area.set(xmm, 160);
      area.set(st.subarray(0, 10), 32);
      area.set(st.subarray(16, 26), 48);
      return area;
    }),
  );
const state = fc.record(
  {
    registers: fc
      .array(value, { minLength: 16, maxLength: 16 })
      .map((list) =>
        BigUint64Array.from(list, (each, number) => (number === 4 ? BigInt.asIntN(48, each) : each)),
      ),
    rip: fc.constant(CODE + 16n),
    // Without TF in most: volleys cannot hold it.
    rflags: fc
      .tuple(quadword, fc.constantFrom(0n, 0n, 0n, 0x100n))
      .map(([bits, tf]) => (bits & RFLAGS_SETTABLE & ~0x100n) | tf | RFLAGS_FIXED),
    fxsave,
  },
  { requiredKeys: ['registers', 'rip', 'rflags'] },
);
const memory = fc
  .uint8Array({ minLength: 64, maxLength: 64 })
  .map((array) => [{ address: DATA + 32, bytes: array }]);
const series = fc.constantFrom(...INSTRUCTIONS).chain((code) =>
  fc.array(
    fc.record(
      {
        code: fc.constant(code),
        state,
        memory,
        readBack: fc.constant([{ address: DATA + 32, lengthBytes: 64 }]),
        wantsFxsave: fc.boolean(),
      },
      { requiredKeys: ['code', 'state', 'memory', 'readBack'] },
    ),
    { minLength: 1, maxLength: 12 },
  ),
);

describe('volleys', { skip }, () => {
  const silicon = skip ? (undefined as never) : Silicon.open();
  after(() => silicon[Symbol.dispose]());

  test('return what each case returns by itself', () => {
    fc.assert(
      fc.property(fc.array(series, { minLength: 1, maxLength: 3 }), (list) => {
        const cases: NativeCase[] = list.flat();
        assert.deepEqual(
          silicon.runAll(cases),
          cases.map((each) => silicon.run(each)),
        );
      }),
      { numRuns: 300, seed: 3 },
    );
  });

  /** A case with these registers, by number. */
  const simple = (
    code: string,
    given: Record<number, number | bigint>,
    more: Partial<NativeCase> = {},
  ): NativeCase => {
    const registers = new BigUint64Array(16);
    for (const [number, value] of Object.entries(given)) registers[Number(number)] = BigInt(value);
    return {
      code: bytes(code),
      ...more,
      state: { registers, rip: CODE, rflags: RFLAGS_FIXED, ...more.state },
    };
  };
  const assertSame = (cases: readonly NativeCase[]) =>
    assert.deepEqual(
      silicon.runAll(cases),
      cases.map((each) => silicon.run(each)),
    );

  test('start each case with data that is zero', () => {
    const add = simple('48 01 07', { 0: 5, 7: DATA }, { readBack: [{ address: DATA, lengthBytes: 8 }] });
    for (const { memory } of silicon.runAll([add, add, add])) assert.equal(memory[0]![0], 5);
  });

  test('leave no x87 and SSE state behind', () => {
    silicon.run(simple('c5 f8 77', {})); // VZEROUPPER, or undefined: makes all state suspect
    silicon.run(simple('90', {}));
    const fxsave = INITIAL_FXSAVE.slice().fill(0x11, 160, 192);
    const nop = simple('90', {});
    silicon.runAll([nop, nop, { ...nop, state: { ...nop.state, fxsave } }]);
    const { state } = silicon.run(simple('0f 58 c1', {}, { wantsFxsave: true }));
    assert.deepEqual(state.fxsave!.slice(160, 192), new Uint8Array(32));
  });

  test('do not hold loops, jumps that go astray, and flags that trap', () => {
    assertSame([1, 3, 1, 2n ** 40n].map((rcx) => simple('e2 fe', { 1: rcx })));
    assertSame([CODE + 2n, 0, CODE, CODE + 2n, DATA].map((rax) => simple('ff e0', { 0: rax })));
    const flags = (rflags: number) => [{ address: DATA, bytes: Uint8Array.of(rflags & 0xff, rflags >> 8) }];
    assertSame(
      [0x202, 0x302, 0x203].map((rflags) => simple('66 9d', { 4: DATA }, { memory: flags(rflags) })),
    );
  });

  test('hold many cases, and more than one volley of them', () => {
    const code = bytes('48 01 d8');
    const cases = Array.from({ length: 2 * MAX_RECORDS + 100 }, (_, index): NativeCase => {
      const registers = new BigUint64Array(16);
      registers[0] = BigInt(index);
      registers[3] = BigInt(index * index);
      return { code, state: { registers, rip: CODE, rflags: RFLAGS_FIXED } };
    });
    assert.equal(volleyLength(cases, 0), MAX_RECORDS);
    const results = silicon.runAll(cases);
    assert.equal(results.length, cases.length);
    results.forEach(({ state }, index) => {
      assert.equal(state.registers[0], BigInt(index + index * index));
    });
  });

  test('hold cases that differ in registers and contents only', () => {
    const base: NativeCase = {
      code: bytes('48 8b 07'),
      state: { registers: new BigUint64Array(16), rip: CODE, rflags: RFLAGS_FIXED },
      memory: [{ address: DATA, bytes: bytes('01') }],
    };
    const other = (change: Partial<NativeCase>): NativeCase[] => [base, { ...base, ...change }];
    const length = (change: Partial<NativeCase>) => volleyLength(other(change), 0);
    assert.equal(length({ code: bytes('48 8b 07'), memory: [{ address: DATA, bytes: bytes('02') }] }), 2);
    assert.equal(length({ code: bytes('48 8b 06') }), 1);
    assert.equal(length({ memory: [] }), 1);
    assert.equal(length({ memory: [{ address: DATA + 1, bytes: bytes('01') }] }), 1);
    assert.equal(length({ readBack: [{ address: DATA, lengthBytes: 1 }] }), 1);
    assert.equal(length({ mode: 32 }), 1);
    assert.equal(length({ extent: 'block' }), 1);
    assert.equal(length({ state: { ...base.state, rip: CODE + 1n } }), 1);
    assert.equal(length({ state: { ...base.state, fsBase: 1n } }), 1);
    assert.equal(length({ state: { ...base.state, rflags: RFLAGS_FIXED | 0x100n } }), 1);
  });

  test('do not hold what is elsewhere than in the data, or too large', () => {
    const isHeld = (range: { address: number; lengthBytes: number }, rip = CODE) => {
      const { address, lengthBytes } = range;
      const registers = new BigUint64Array(16);
      const each: NativeCase = {
        code: bytes('90'),
        state: { registers, rip, rflags: RFLAGS_FIXED },
        memory: [{ address, bytes: new Uint8Array(lengthBytes) }],
      };
      return volleyLength([each, each], 0) === 2;
    };
    assert.ok(isHeld({ address: DATA_END - 64, lengthBytes: 64 }));
    assert.ok(!isHeld({ address: DATA, lengthBytes: 65 }));
    assert.ok(!isHeld({ address: DATA_END - 63, lengthBytes: 64 }));
    assert.ok(!isHeld({ address: LAYOUT.readonlyGva, lengthBytes: 8 }));
    assert.ok(!isHeld({ address: DATA, lengthBytes: 8 }, CODE + BigInt(LAYOUT.codeLengthBytes - 8)));
  });
});
