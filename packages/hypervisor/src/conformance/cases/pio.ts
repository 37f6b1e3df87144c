/** Port I/O: IN, OUT, and their string forms (Intel SDM Vol. 1 §19.3 "I/O Address Space"). */
import assert from 'node:assert/strict';
import type { IoExit } from '../../exits.ts';
import {
  type Assembler,
  al,
  ax,
  cx,
  di,
  ds,
  dx,
  eax,
  ecx,
  edi,
  edx,
  es,
  esi,
  fs,
  rax,
  rcx,
  rsi,
  si,
} from '../assembler.ts';
import type { CaseContext } from '../case-context.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { answer, exitBytes, exitValue, isDone } from '../exit-data.ts';
import { done, reportEax, reportWide, wideReports } from '../guest-code.ts';
import { DATA, type GuestMode } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';

const SIZES = [
  { sizeBytes: 1, register: al },
  { sizeBytes: 2, register: ax },
  { sizeBytes: 4, register: eax },
] as const;
const PORT = 0x1234;
const PAGE = 4096;
const GUARD = 0xa5;

type SizeBytes = 1 | 2 | 4;

function masked(value: number, sizeBytes: number): bigint {
  return BigInt.asUintN(8 * sizeBytes, BigInt(value));
}

function checkSingle(exit: IoExit, sizeBytes: number): void {
  assert.equal(exit.sizeBytes, sizeBytes);
  assert.equal(exit.count, 1);
}

const outCases = SIZES.map(({ sizeBytes, register }): ConformanceCase => {
  return {
    name: `OUT of ${sizeBytes} bytes carries its value to an immediate port and to the one in DX`,
    run(t) {
      const machine = t.machine({
        mode: 'real',
        code(a) {
          a.mov(eax, 0x8a7b6c5d);
          a.out(0x42, register);
          a.not(eax);
          a.mov(dx, PORT);
          a.out(dx, register);
          done(a);
        },
      });
      for (const [port, value] of [
        [0x42, 0x8a7b6c5d],
        [PORT, ~0x8a7b6c5d],
      ] as const) {
        const exit = machine.expectIo('out', port);
        checkSingle(exit, sizeBytes);
        assert.equal(exitValue(exit), masked(value, sizeBytes));
      }
      machine.expectDone();
    },
  };
});

const inCases = SIZES.map(({ sizeBytes, register }): ConformanceCase => {
  return {
    name: `IN of ${sizeBytes} bytes takes the answer and ${sizeBytes === 4 ? 'clears' : 'keeps'} the rest of RAX`,
    run(t) {
      const machine = t.machine({
        code(a) {
          a.mov(rax, 0x1122334455667788n);
          a.in(register, 0x42);
          a.mov(rcx, rax);
          a.mov(edx, PORT);
          a.in(register, dx);
          a.xchg(rax, rcx);
          reportWide(a, rax);
          reportWide(a, rcx);
          done(a);
        },
      });
      const values = [0xcafef00d, 0x01020304];
      for (const [i, port] of [0x42, PORT].entries()) {
        const exit = machine.expectIo('in', port);
        checkSingle(exit, sizeBytes);
        answer(exit, values[i]!);
      }
      const kept =
        sizeBytes === 4 ? 0n : (0x1122334455667788n >> BigInt(8 * sizeBytes)) << BigInt(8 * sizeBytes);
      const expected = values.map((value) => kept | masked(value, sizeBytes));
      assert.deepEqual(wideReports(machine.finish()), expected);
    },
  };
});

/** Takes what a string OUT writes until the guest ends. */
function collectOutput(machine: Machine, sizeBytes: SizeBytes): { bytes: number[]; reports: number[] } {
  const bytes: number[] = [];
  const reports = machine.finish({
    serve(exit) {
      if (exit.kind !== 'io' || exit.direction !== 'out' || exit.port !== PORT) return false;
      assert.equal(exit.sizeBytes, sizeBytes);
      bytes.push(...exitBytes(exit));
      return true;
    },
  });
  return { bytes, reports };
}

/** Feeds a string IN from `source`; how many bytes it took, and what the guest reported. */
function feedInput(
  machine: Machine,
  sizeBytes: SizeBytes,
  source: Uint8Array,
): { taken: number; reports: number[] } {
  let taken = 0;
  const reports = machine.finish({
    serve(exit) {
      if (exit.kind !== 'io' || exit.direction !== 'in' || exit.port !== PORT) return false;
      assert.equal(exit.sizeBytes, sizeBytes);
      const bytes = exitBytes(exit);
      bytes.set(source.subarray(taken, taken + bytes.length));
      taken += bytes.length;
      return true;
    },
  });
  return { taken, reports };
}

function pattern(lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => (i * 7 + (i >> 8) * 3 + 1) & 0xff);
}

/** Sets the pointer register of a string instruction to `DATA + offset`, the count, DX and the direction. */
function prepareString(
  a: Assembler,
  mode: GuestMode,
  { offset, count, backwards }: { offset: number; count: number; backwards?: boolean },
): void {
  if (mode === 'real') {
    a.mov(ax, DATA >> 4);
    a.mov(ds, ax);
    a.mov(es, ax);
    a.mov(si, offset);
    a.mov(di, offset);
  } else {
    a.mov(esi, DATA + offset);
    a.mov(edi, DATA + offset);
  }
  a.mov(ecx, count);
  a.mov(edx, PORT);
  if (backwards) a.std();
  else a.cld();
}

/** Reports ECX and ESI or EDI, as far as the mode uses them. */
function reportAfter(a: Assembler, pointer: typeof esi): void {
  a.mov(eax, ecx);
  reportEax(a);
  a.mov(eax, pointer);
  reportEax(a);
  done(a);
}

function base(mode: GuestMode): number {
  return mode === 'real' ? 0 : DATA;
}

function repOuts(mode: GuestMode, sizeBytes: SizeBytes, backwards: boolean): ConformanceCase {
  return {
    name: `REP OUTS of ${sizeBytes} bytes in ${mode} mode, across a page${backwards ? ', backwards' : ''}`,
    run(t) {
      const count = 24;
      const first = PAGE - 12 * sizeBytes;
      const offset = backwards ? first + (count - 1) * sizeBytes : first;
      const machine = t.machine({
        mode,
        code(a) {
          prepareString(a, mode, { offset, count, backwards });
          a.rep();
          a.outs((8 * sizeBytes) as 8 | 16 | 32);
          reportAfter(a, esi);
        },
      });
      const data = pattern(count * sizeBytes);
      machine.memory.write(DATA + first, data);
      const { bytes, reports } = collectOutput(machine, sizeBytes);
      assert.deepEqual(bytes, [...(backwards ? reversedItems(data, sizeBytes) : data)]);
      const end = base(mode) + (backwards ? first - sizeBytes : first + count * sizeBytes);
      assert.deepEqual(reports, [0, end]);
    },
  };
}

function reversedItems(data: Uint8Array, sizeBytes: number): Uint8Array {
  const reversed = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += sizeBytes)
    reversed.set(data.subarray(data.length - at - sizeBytes, data.length - at), at);
  return reversed;
}

function repIns(mode: GuestMode, sizeBytes: SizeBytes, backwards: boolean): ConformanceCase {
  return {
    name: `REP INS of ${sizeBytes} bytes in ${mode} mode, across pages${backwards ? ', backwards' : ''}`,
    run(t) {
      // Unaligned, so that an item lies across the page.
      const count = Math.floor(5000 / sizeBytes);
      const first = 3 * PAGE - 2501;
      const offset = backwards ? first + (count - 1) * sizeBytes : first;
      const machine = t.machine({
        mode,
        code(a) {
          prepareString(a, mode, { offset, count, backwards });
          a.rep();
          a.ins((8 * sizeBytes) as 8 | 16 | 32);
          reportAfter(a, edi);
        },
      });
      const lengthBytes = count * sizeBytes;
      machine.memory.fill(DATA, 0x8000, GUARD);
      const data = pattern(lengthBytes);
      const { taken, reports } = feedInput(machine, sizeBytes, data);
      assert.equal(taken, lengthBytes);
      const expected = backwards ? reversedItems(data, sizeBytes) : data;
      assert.deepEqual(machine.memory.view(DATA + first, lengthBytes), expected);
      assert.equal(machine.memory.readU8(DATA + first - 1), GUARD);
      assert.equal(machine.memory.readU8(DATA + first + lengthBytes), GUARD);
      const end = base(mode) + (backwards ? first - sizeBytes : first + lengthBytes);
      assert.deepEqual(reports, [0, end]);
    },
  };
}

const singleStrings: ConformanceCase = {
  name: 'INS and OUTS without REP move one item and step by its size',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        prepareString(a, 'protected', { offset: 0, count: 77 });
        a.outs(16);
        a.ins(32);
        a.mov(eax, edi);
        reportEax(a);
        reportAfter(a, esi);
      },
    });
    machine.memory.writeU32(DATA, 0xbeef);
    const output = machine.expectIo('out', PORT);
    checkSingle(output, 2);
    assert.equal(exitValue(output), 0xbeefn);
    const input = machine.expectIo('in', PORT);
    checkSingle(input, 4);
    answer(input, 0x12345678);
    assert.deepEqual(machine.finish(), [DATA + 4, 77, DATA + 2]);
    assert.equal(machine.memory.readU32(DATA), 0x12345678);
  },
};

const zeroCount: ConformanceCase = {
  name: 'REP INS and REP OUTS with a count of 0 do nothing',
  run(t) {
    const machine = t.machine({
      code(a) {
        prepareString(a, 'long', { offset: 0, count: 0 });
        a.rep();
        a.ins(8);
        a.rep();
        a.outs(32);
        reportAfter(a, esi);
      },
    });
    assert.deepEqual(machine.finish(), [0, DATA]);
  },
};

const overrides: ConformanceCase = {
  name: 'OUTS obeys segment and address-size overrides in real mode',
  run(t) {
    const machine = t.machine({
      mode: 'real',
      code(a) {
        a.mov(ax, (DATA + 0x1000) >> 4);
        a.mov(fs, ax);
        a.mov(esi, 0x10);
        a.mov(ecx, 3);
        a.mov(dx, PORT);
        a.rep();
        a.outs(16, { segment: fs, addressBits: 32 });
        reportAfter(a, esi);
      },
    });
    const data = pattern(6);
    machine.memory.write(DATA + 0x1010, data);
    const { bytes, reports } = collectOutput(machine, 2);
    assert.deepEqual(bytes, [...data]);
    assert.deepEqual(reports, [0, 0x16]);
  },
};

const wrapping: ConformanceCase = {
  name: 'REP OUTS wraps SI at 64 KiB in real mode',
  run(t) {
    const machine = t.machine({
      mode: 'real',
      code(a) {
        a.mov(ax, DATA >> 4);
        a.mov(ds, ax);
        a.mov(si, 0xfffe);
        a.mov(cx, 4);
        a.mov(dx, PORT);
        a.rep();
        a.outs(8);
        a.mov(ax, si);
        a.out(0xf1, ax);
        done(a);
      },
    });
    machine.memory.write(DATA + 0xfffe, Uint8Array.of(1, 2));
    machine.memory.write(DATA, Uint8Array.of(3, 4));
    const bytes: number[] = [];
    for (let exit = machine.run(); !isDone(exit); exit = machine.run()) {
      if (exit.kind !== 'io') throw machine.unexpected(exit, 'io');
      if (exit.port === PORT) bytes.push(...exitBytes(exit));
      else assert.equal(exitValue(exit), 2n);
    }
    assert.deepEqual(bytes, [1, 2, 3, 4]);
  },
};

const manyExits: ConformanceCase = {
  name: 'ten thousand I/O exits in a row lose and repeat nothing',
  run(t: CaseContext) {
    const count = 10_000;
    const machine = t.machine({
      code(a) {
        a.mov(rcx, count);
        a.mov(edx, PORT);
        a.mov(rsi, 0);
        a.label('again');
        a.in(eax, dx);
        a.add(rsi, rax);
        a.out(dx, eax);
        a.dec(rcx);
        a.jcc('ne', 'again');
        reportWide(a, rsi);
        done(a);
      },
    });
    for (let i = 0; i < count; i++) {
      answer(machine.expectIo('in', PORT), i * 3);
      assert.equal(exitValue(machine.expectIo('out', PORT)), BigInt(i * 3));
    }
    assert.deepEqual(wideReports(machine.finish()), [(3n * BigInt(count) * BigInt(count - 1)) / 2n]);
  },
};

export const pioCases: readonly ConformanceCase[] = [
  ...outCases,
  ...inCases,
  singleStrings,
  ...([1, 2, 4] as const).map((size) => repOuts('long', size, false)),
  ...([1, 2, 4] as const).map((size) => repIns('long', size, false)),
  repOuts('real', 2, false),
  repIns('real', 1, false),
  repOuts('protected', 4, false),
  repIns('protected', 2, false),
  ...([1, 2, 4] as const).map((size) => repOuts('long', size, true)),
  ...([1, 2, 4] as const).map((size) => repIns('long', size, true)),
  zeroCount,
  overrides,
  wrapping,
  manyExits,
];
