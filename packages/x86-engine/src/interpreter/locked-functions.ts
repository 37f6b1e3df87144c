/**
 * What LOCK makes of a read-modify-write, as functions for all handlers to call (Intel SDM Vol. 3A §8.1.2 "Bus Locking"):
 * a handler reads, computes, and writes only if what it read is still there, else starts again.
 *
 * An operand within 8 aligned bytes is exchanged with those, by an atomic instruction. One that crosses them ("split
 * lock") no atomic instruction of WebAssembly's reaches, nor the 16 bytes of CMPXCHG16B: they are exchanged under a spin
 * lock that all vCPUs share. So they are atomic against each other, but not against other accesses to the same bytes: a
 * plain store of another vCPU's may come between the comparison and the exchange and be lost, and a load may see half of
 * the new value. Guests that use CMPXCHG16B on memory write it by nothing else while it is shared.
 */
import { SPLIT_LOCK_ADDRESS } from '../shared-words.ts';
import { type AtomicBits, Code, type ValueType } from '../wasm/code.ts';
import { CONVERT, I32, I64 } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';

const SIZES = [8, 16, 32, 64] as const;

/** Indices of functions. */
export interface LockedFunctions {
  /** (address) → value. */
  readonly lockedRead: Readonly<Record<AtomicBits, number>>;
  /** (address, expected, replacement) → whether it was replaced. */
  readonly lockedCompareExchange: Readonly<Record<AtomicBits, number>>;
  /** (address, expected low and high, replacement low and high) → found low and high. */
  readonly compareExchangePair: number;
  readonly lockedCompareExchangePair: number;
}

const typeOf = (bits: AtomicBits): ValueType => (bits === 64 ? 'i64' : 'i32');
const HOST = 0;
const WORD_BYTES = 8;

export function addLockedFunctions(module: ModuleBuilder): LockedFunctions {
  const forAll = (make: (bits: AtomicBits) => Code) =>
    Object.fromEntries(SIZES.map((bits) => [bits, module.add(make(bits))])) as Record<AtomicBits, number>;
  return {
    lockedRead: forAll(lockedRead),
    lockedCompareExchange: forAll(lockedCompareExchange),
    compareExchangePair: module.add(compareExchangePair(false)),
    lockedCompareExchangePair: module.add(compareExchangePair(true)),
  };
}

function pushIsAligned(code: Code, bits: AtomicBits): Code {
  return code
    .get(HOST)
    .i32(bits / 8 - 1)
    .op(I32.and, I32.eqz);
}

/** Misaligned, it may be torn: the comparison finds that out. */
function lockedRead(bits: AtomicBits): Code {
  const code = new Code({ parameters: ['i32'], results: [typeOf(bits)] });
  pushIsAligned(code, bits).if(() => code.get(HOST).atomicLoad(bits).return());
  return code.get(HOST).load(bits);
}

function lockedCompareExchange(bits: AtomicBits): Code {
  const type = typeOf(bits);
  const code = new Code({ parameters: ['i32', type, type], results: ['i32'] });
  const [expected, replacement] = [1, 2];
  const { eq } = bits === 64 ? I64 : I32;
  pushIsAligned(code, bits).if(() => {
    code.get(HOST).get(expected).get(replacement).atomicCompareExchange(bits).get(expected).op(eq).return();
  });
  if (bits < 64) exchangeWithinWord(code, bits as 16 | 32);
  const isSame = code.local('i32');
  acquire(code);
  code.get(HOST).load(bits).get(expected).op(eq).tee(isSame);
  code.if(() => code.get(HOST).get(replacement).store(bits));
  release(code);
  return code.get(isSame);
}

/** Returns if the operand is within 8 aligned bytes. */
function exchangeWithinWord(code: Code, bits: 16 | 32): void {
  const [expected, replacement] = [1, 2];
  const shift = code.local('i64');
  const old = code.local('i64');
  const mask = BigInt(2 ** bits - 1);
  const pushWord = () => code.get(HOST).i32(-WORD_BYTES).op(I32.and);
  const pushOffset = () =>
    code
      .get(HOST)
      .i32(WORD_BYTES - 1)
      .op(I32.and);
  pushOffset()
    .i32(WORD_BYTES - bits / 8)
    .op(I32.leU);
  code.if(() => {
    pushOffset().i32(3).op(I32.shl, CONVERT.i64ExtendI32U).set(shift);
    pushWord().atomicLoad(64).tee(old);
    code.get(shift).op(I64.shrU).i64(mask).op(I64.and).get(expected).op(CONVERT.i64ExtendI32U, I64.ne);
    code.if(() => code.i32(0).return());
    pushWord().get(old).get(old).i64(mask).get(shift).op(I64.shl).i64(-1n).op(I64.xor, I64.and);
    code.get(replacement).op(CONVERT.i64ExtendI32U).get(shift).op(I64.shl, I64.or);
    code.atomicCompareExchange(64).get(old).op(I64.eq).return();
  });
}

function compareExchangePair(locked: boolean): Code {
  const i64 = (count: number) => Array.from({ length: count }, (): ValueType => 'i64');
  const code = new Code({ parameters: ['i32', ...i64(4)], results: i64(2) });
  const [expectedLow, expectedHigh, low, high] = [1, 2, 3, 4];
  const [foundLow, foundHigh] = [code.local('i64'), code.local('i64')];
  if (locked) acquire(code);
  code.get(HOST).load(64).set(foundLow);
  code.get(HOST).load(64, WORD_BYTES).set(foundHigh);
  code.get(foundLow).get(expectedLow).op(I64.eq).get(foundHigh).get(expectedHigh).op(I64.eq, I32.and);
  code.if(() => {
    code.get(HOST).get(low).store(64);
    code.get(HOST).get(high).store(64, WORD_BYTES);
  });
  if (locked) release(code);
  return code.get(foundLow).get(foundHigh);
}

/** Held for a few instructions only; who waits spins, even while the host runs something else in the holder's place. */
function acquire(code: Code): void {
  code.loop(() => {
    code.i32(SPLIT_LOCK_ADDRESS).i32(0).i32(1).atomicCompareExchange(32);
    code.if(() => code.branch(1));
  });
}

function release(code: Code): void {
  code.i32(SPLIT_LOCK_ADDRESS).i32(0).atomicStore(32);
}
