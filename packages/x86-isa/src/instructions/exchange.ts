/** Exchanges that depend on what is there (Intel SDM Vol. 1 §7.3.1.2 "Exchange Instructions"). */
import type { Halves } from '../builder.ts';
import { enc, type Instruction, instruction, lockable } from '../instruction.ts';
import { r, rw } from '../operand.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;

/** Intel SDM Vol. 2D "XADD—Exchange and Add". Of a register with itself, the sum stays. */
export const XADD = instruction('XADD', {
  encodings: [
    enc('MR', '0F C0 /r', rw('rm8'), rw('r8'), lockable),
    enc('MR', '0F C1 /r', rw('rmv'), rw('rv'), lockable),
  ],
  semantics(e, destination, source) {
    const a = e.read(destination!);
    const b = e.read(source!);
    const sum = e.binary('add', a, b);
    if (destination!.isMemory) {
      e.write(destination!, sum);
      e.write(source!, a);
    } else {
      e.write(source!, a);
      e.write(destination!, sum);
    }
    e.statusFlags('add', a, b, sum);
  },
});

/**
 * Intel SDM Vol. 2A "CMPXCHG—Compare and Exchange". The destination must be writable even if it stays as it is; a
 * processor writes it back then, which nobody can see.
 */
export const CMPXCHG = instruction('CMPXCHG', {
  encodings: [
    enc('MR', '0F B0 /r', rw('rm8'), r('r8'), lockable),
    enc('MR', '0F B1 /r', rw('rmv'), r('rv'), lockable),
  ],
  semantics(e, destination, source) {
    const found = e.read(destination!);
    const expected = e.readRegister(RAX, destination!.bits as 8 | 16 | 32 | 64);
    const replacement = e.read(source!);
    e.if(
      e.compare('eq', expected, found),
      () => e.write(destination!, replacement),
      () => {
        e.writeRegister(RAX, found);
      },
    );
    e.statusFlags('sub', expected, found, e.binary('sub', expected, found));
  },
});

/** Intel SDM Vol. 2A "CMPXCHG8B/CMPXCHG16B—Compare and Exchange Bytes". Before CMPXCHG8B, which has no REX.W. */
export const CMPXCHG16B = instruction('CMPXCHG16B', {
  encodings: [enc('M', 'REX.W 0F C7 /1', rw('m128a'), lockable)],
  feature: 'CX16',
  semantics(e, destination) {
    const expected: Halves = { high: e.readRegister(RDX, 64), low: e.readRegister(RAX, 64) };
    const replacement: Halves = { high: e.readRegister(RCX, 64), low: e.readRegister(RBX, 64) };
    const { equal, high, low } = e.compareExchangePair(destination!, expected, replacement);
    e.writeRegister(RDX, high);
    e.writeRegister(RAX, low);
    e.setFlags({ ZF: equal });
  },
});

/** The same page. */
export const CMPXCHG8B = instruction('CMPXCHG8B', {
  encodings: [enc('M', '0F C7 /1', rw('m64'), lockable)],
  feature: 'CX8',
  semantics(e, destination) {
    const pair = (high: number, low: number) => {
      const upper = e.shift('shl', e.zeroExtend(e.readRegister(high, 32), 64), e.constant(8, 32));
      return e.binary('or', upper, e.zeroExtend(e.readRegister(low, 32), 64));
    };
    const found = e.read(destination!);
    const equal = e.compare('eq', pair(RDX, RAX), found);
    e.if(
      equal,
      () => e.write(destination!, pair(RCX, RBX)),
      () => {
        e.writeRegister(RAX, e.truncate(found, 32));
        e.writeRegister(RDX, e.truncate(e.shift('shr', found, e.constant(8, 32)), 32));
      },
    );
    e.setFlags({ ZF: equal });
  },
});

export const EXCHANGE: readonly Instruction[] = [XADD, CMPXCHG, CMPXCHG16B, CMPXCHG8B];
