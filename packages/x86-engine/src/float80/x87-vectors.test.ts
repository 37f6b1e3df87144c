import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Float80Exports,
  type Float80Module,
  loadFloat80,
  SLOT,
  WITHHELD,
} from './testing/float80-module.ts';
import { readX87Vectors, type Vector } from './testing/x87-vectors.ts';

const EXCEPTIONS = 0x3f;
const C1 = 0x200;
const C2 = 0x400;
const ALL_CODES = 0x4700;

/** Where an instruction's outcome is, and what else it leaves. */
interface Replay {
  readonly run: (f: Float80Exports, control: number, m: Float80Module) => number;
  /** Condition codes that it defines. */
  readonly codes: number;
  readonly outcome: 'register' | 'memory' | 'pushed' | 'codes';
  /** Bytes that it stores. */
  readonly bytes?: number;
  readonly second?: true;
  /** Units in the last place that another processor may be off, C1 aside. */
  readonly slack?: 1;
}

const { a, b, result, second, widened } = SLOT;
const register = (run: Replay['run'], codes = C1): Replay => ({ run, codes, outcome: 'register' });
const memory = (run: Replay['run'], bytes: number): Replay => ({ run, codes: C1, outcome: 'memory', bytes });
const pushed = (run: Replay['run']): Replay => ({ run, codes: C1, outcome: 'pushed' });
const codes = (run: Replay['run']): Replay => ({ run, codes: ALL_CODES, outcome: 'codes' });
const close = (run: Replay['run']): Replay => ({ run, codes: C2, outcome: 'register', slack: 1 });
const constant = (index: number): Replay =>
  pushed((f, control) => {
    f.fldconst(result, index, control);
    return 0;
  });
const m32 = (f: Float80Exports, m: Float80Module) => f.widen32(widened, m.view.getUint32(a, true));
const m64 = (f: Float80Exports, m: Float80Module) => f.widen64(widened, m.view.getBigUint64(a, true));

const REPLAYS: Readonly<Record<string, Replay>> = {
  fadd: register((f, control) => f.fadd(result, a, b, control)),
  fsub: register((f, control) => f.fsub(result, a, b, control)),
  fmul: register((f, control) => f.fmul(result, a, b, control)),
  fdiv: register((f, control) => f.fdiv(result, a, b, control)),
  fsqrt: register((f, control) => f.fsqrt(result, a, control)),
  fprem: register((f, control) => f.fprem(result, a, b, control), ALL_CODES),
  fprem1: register((f, control) => f.fprem1(result, a, b, control), ALL_CODES),
  frndint: register((f, control) => f.frndint(result, a, control)),
  fscale: register((f, control) => f.fscale(result, a, b, control)),
  fxtract: { ...pushed((f, control) => f.fxtract(result, second, a, control)), second: true },
  fcom: codes((f, control) => f.fcom(a, b, control)),
  fucom: codes((f, control) => f.fucom(a, b, control)),
  fxam: codes((f) => f.fxam(a)),
  fld32: pushed((f, control, m) => f.fld32(result, m.view.getUint32(a, true), control)),
  fld64: pushed((f, control, m) => f.fld64(result, m.view.getBigUint64(a, true), control)),
  fst32: memory((f, control) => f.fst32(result, a, control), 4),
  fst64: memory((f, control) => f.fst64(result, a, control), 8),
  fild: pushed((f, _, m) => {
    f.fild(result, m.view.getBigInt64(a, true));
    return 0;
  }),
  fist16: memory((f, control) => f.fist16(result, a, control), 2),
  fist32: memory((f, control) => f.fist32(result, a, control), 4),
  fist64: memory((f, control) => f.fist64(result, a, control), 8),
  fisttp16: memory((f, control) => f.fisttp16(result, a, control), 2),
  fisttp32: memory((f, control) => f.fisttp32(result, a, control), 4),
  fisttp64: memory((f, control) => f.fisttp64(result, a, control), 8),
  fbld: pushed((f) => {
    f.fbld(result, a);
    return 0;
  }),
  fbstp: memory((f, control) => f.fbstp(result, a, control), 10),
  f2xm1: close((f, control) => f.f2xm1(result, a, control)),
  fyl2x: close((f, control) => f.fyl2x(result, b, a, control)),
  fyl2xp1: close((f, control) => f.fyl2xp1(result, b, a, control)),
  fpatan: close((f, control) => f.fpatan(result, b, a, control)),
  fsin: close((f, control) => f.fsin(result, a, control)),
  fcos: close((f, control) => f.fcos(result, a, control)),
  // The instructions push: ST(0) is the cosine, or 1.0, and ST(1) the sine, or the tangent.
  fsincos: { ...close((f, control) => f.fsincos(second, result, a, control)), second: true },
  fptan: { ...close((f, control) => f.fptan(second, a, control)), second: true },
  'fadd-m32': register((f, control, m) => f.fadd(result, b, widened, control | m32(f, m))),
  'fmul-m64': register((f, control, m) => f.fmul(result, b, widened, control | m64(f, m))),
  'fsubr-m64': register((f, control, m) => f.fsub(result, widened, b, control | m64(f, m))),
  'fdiv-m32': register((f, control, m) => f.fdiv(result, b, widened, control | m32(f, m))),
  'fcom-m64': codes((f, control, m) => f.fcom(b, widened, control | m64(f, m))),
  fld1: constant(0),
  fldl2t: constant(1),
  fldl2e: constant(2),
  fldpi: constant(3),
  fldlg2: constant(4),
  fldln2: constant(5),
  fldz: constant(6),
};

const module = await loadFloat80();

describe('what the x87 of a processor does, exceptions unmasked and masked, in every rounding and precision', () => {
  for (const [name, vectors] of readX87Vectors())
    test(`${name}, ${vectors.length} times`, () => {
      for (const vector of vectors) replay(name, REPLAYS[name]!, vector);
    });
});

function replay(
  name: string,
  { run, codes, outcome, bytes, second: both, slack }: Replay,
  vector: Vector,
): void {
  const { control, status } = vector;
  module.putBytes(a, vector.a);
  module.putBytes(b, vector.b);
  for (const slot of [result, second]) module.putBytes(slot, new Uint8Array(16).fill(0xcc));
  const flags = run(module.exports, control, module);
  const where = `${name} ${hex(vector.a)}, ${hex(vector.b)}, control ${control.toString(16)}`;
  const told = EXCEPTIONS | codes;
  assert.equal((flags & told).toString(16), (status & told).toString(16), `flags of ${where}`);
  if (outcome === 'codes') return;
  // Registers are as they were: no slot of ours may have changed.
  if ((flags & (WITHHELD | (slack ? C2 : 0))) !== 0) {
    for (const slot of [result, second]) assert.equal(hex(module.getBytes(slot, 16)), 'cc'.repeat(16), where);
    return;
  }
  const length = outcome === 'memory' ? bytes! : 10;
  if (name !== 'fptan')
    same(module.getBytes(result, length), vector.result.subarray(0, length), where, slack);
  if (both) same(module.getBytes(second, 10), vector.second, where, slack);
}

function same(ours: Uint8Array, theirs: Uint8Array, where: string, slack: 1 | undefined): void {
  if (slack && distance(ours, theirs) <= 1n) return;
  assert.equal(hex(ours), hex(theirs), `result of ${where}`);
}

/** In units of the last place, as integers in the order of the numbers. */
function distance(x: Uint8Array, y: Uint8Array): bigint {
  const difference = ordinal(x) - ordinal(y);
  return difference < 0n ? -difference : difference;
}

function ordinal(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const top = view.getUint16(8, true);
  const magnitude = (BigInt(top & 0x7fff) << 63n) + BigInt.asUintN(63, view.getBigUint64(0, true));
  return (top & 0x8000) !== 0 ? -magnitude : magnitude;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.toReversed()).toString('hex');
}
