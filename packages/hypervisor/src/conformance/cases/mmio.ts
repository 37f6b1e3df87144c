/** Accesses to guest physical memory that no slot backs: every one an exit, whole and in order. */
import assert from 'node:assert/strict';
import {
  al,
  at,
  ax,
  bl,
  byte,
  ds,
  dword,
  eax,
  ecx,
  edi,
  esi,
  qword,
  type Register,
  r9,
  rax,
  rcx,
  rdi,
  rsi,
  word,
  xmm0,
  xmm1,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { answer, exitValue } from '../exit-data.ts';
import { done, report, reportEax, reportWide, wideReports } from '../guest-code.ts';
import { DATA, MMIO, PAGE_DIRECTORIES, RAM_BYTES, SPARE } from '../guest-layout.ts';
import { enableSse } from '../guest-vector.ts';
import { mmioInstructionCases } from './mmio-instructions.ts';
import { stringMmioCases } from './mmio-strings.ts';

interface Size {
  readonly lengthBytes: 1 | 2 | 4 | 8;
  readonly register: Register;
  readonly memory: typeof byte;
}

const SIZES: readonly Size[] = [
  { lengthBytes: 1, register: al, memory: byte },
  { lengthBytes: 2, register: ax, memory: word },
  { lengthBytes: 4, register: eax, memory: dword },
  { lengthBytes: 8, register: rax, memory: qword },
];

const VALUE = 0x8877665544332211n;

const PAGE = 4096;

function low(value: bigint, lengthBytes: number): bigint {
  return BigInt.asUintN(8 * lengthBytes, value);
}

const reads = SIZES.map(({ lengthBytes, register, memory }): ConformanceCase => {
  return {
    name: `a read of ${lengthBytes} bytes takes the answer`,
    run(t) {
      const machine = t.machine({
        code(a) {
          a.mov(rax, 0);
          a.mov(register, memory(MMIO + 0x10));
          reportWide(a, rax);
          done(a);
        },
      });
      answer(machine.expectMmio('read', MMIO + 0x10, lengthBytes), VALUE);
      assert.deepEqual(wideReports(machine.finish()), [low(VALUE, lengthBytes)]);
    },
  };
});

const writes = SIZES.map(({ lengthBytes, register, memory }): ConformanceCase => {
  return {
    name: `a write of ${lengthBytes} bytes carries its value, from a register and as an immediate`,
    run(t) {
      const machine = t.machine({
        code(a) {
          a.mov(rax, VALUE);
          a.mov(memory(MMIO + 0x18), register);
          a.mov(memory(MMIO + 0x20), 0x5a);
          done(a);
        },
      });
      const exit = machine.expectMmio('write', MMIO + 0x18, lengthBytes);
      assert.equal(exitValue(exit), low(VALUE, lengthBytes));
      assert.equal(exitValue(machine.expectMmio('write', MMIO + 0x20, lengthBytes)), 0x5an);
      machine.expectDone();
    },
  };
});

const unaligned: ConformanceCase = {
  name: 'an unaligned access inside a page is one exit',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rax, qword(MMIO + 3));
        a.mov(dword(MMIO + 0x101), eax);
        a.mov(word(MMIO + 0x7), ax);
        reportWide(a, rax);
        done(a);
      },
    });
    answer(machine.expectMmio('read', MMIO + 3, 8), VALUE);
    assert.equal(exitValue(machine.expectMmio('write', MMIO + 0x101, 4)), low(VALUE, 4));
    assert.equal(exitValue(machine.expectMmio('write', MMIO + 0x7, 2)), low(VALUE, 2));
    assert.deepEqual(wideReports(machine.finish()), [VALUE]);
  },
};

const acrossMmioPages: ConformanceCase = {
  name: 'an access across two MMIO pages is two exits, the lower first',
  run(t) {
    const boundary = MMIO + PAGE;
    const machine = t.machine({
      code(a) {
        a.mov(rax, qword(boundary - 3));
        a.mov(qword(boundary - 6), rax);
        a.mov(ecx, dword(boundary - 1));
        reportWide(a, rax);
        reportWide(a, rcx);
        done(a);
      },
    });
    answer(machine.expectMmio('read', boundary - 3, 3), low(VALUE, 3));
    answer(machine.expectMmio('read', boundary, 5), VALUE >> 24n);
    assert.equal(exitValue(machine.expectMmio('write', boundary - 6, 6)), low(VALUE, 6));
    assert.equal(exitValue(machine.expectMmio('write', boundary, 2)), VALUE >> 48n);
    answer(machine.expectMmio('read', boundary - 1, 1), 0x78);
    answer(machine.expectMmio('read', boundary, 3), 0x123456);
    assert.deepEqual(wideReports(machine.finish()), [VALUE, 0x12345678n]);
  },
};

const acrossRamAndMmio: ConformanceCase = {
  name: 'an access from RAM into MMIO exits for its upper part only',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rax, qword(RAM_BYTES - 2));
        reportWide(a, rax);
        a.mov(rax, VALUE);
        a.mov(qword(RAM_BYTES - 4), rax);
        done(a);
      },
    });
    machine.memory.writeU16(RAM_BYTES - 2, 0xbeef);
    answer(machine.expectMmio('read', RAM_BYTES, 6), 0x665544332211n);
    const values: number[] = [];
    for (let i = 0; i < 2; i++) values.push(Number(exitValue(machine.expectIo('out', 0xf0))));
    assert.deepEqual(wideReports(values), [0x665544332211beefn]);
    assert.equal(exitValue(machine.expectMmio('write', RAM_BYTES, 4)), VALUE >> 32n);
    machine.expectDone();
    assert.equal(machine.memory.readU32(RAM_BYTES - 4), Number(low(VALUE, 4)));
  },
};

const acrossMmioAndRam: ConformanceCase = {
  name: 'an access from MMIO into RAM exits for its lower part only',
  run(t) {
    const start = MMIO + 0x2000;
    const machine = t.machine({
      code(a) {
        a.mov(eax, dword(start - 1));
        reportEax(a);
        a.mov(dword(start - 3), 0x44332211);
        done(a);
      },
    });
    const backing = machine.allocate(PAGE);
    machine.vm.setMemorySlot({ id: 1, gpa: start, sizeBytes: PAGE, backing, backingOffset: 0 });
    const ram = new Uint8Array(backing.buffer, 0, PAGE);
    ram.set([0xaa, 0xbb, 0xcc]);
    answer(machine.expectMmio('read', start - 1, 1), 0x99);
    assert.equal(exitValue(machine.expectIo('out', 0xf0)), 0xccbbaa99n);
    assert.equal(exitValue(machine.expectMmio('write', start - 3, 3)), 0x332211n);
    machine.expectDone();
    assert.equal(ram[0], 0x44);
  },
};

const realMode: ConformanceCase = {
  name: 'real mode reaches MMIO through a segment',
  run(t) {
    const machine = t.machine({
      mode: 'real',
      code(a) {
        a.mov(ax, MMIO >> 4);
        a.mov(ds, ax);
        a.mov(al, byte(0x8000));
        a.add(al, 1);
        a.mov(byte(0xffff), al);
        done(a);
      },
    });
    answer(machine.expectMmio('read', MMIO + 0x8000, 1), 0x41);
    assert.equal(exitValue(machine.expectMmio('write', MMIO + 0xffff, 1)), 0x42n);
    machine.expectDone();
  },
};

const protectedMode: ConformanceCase = {
  name: 'protected mode without paging reaches MMIO up to 4 GiB',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        a.mov(eax, dword(0xd0000004));
        a.mov(dword(0xfffffff8), eax);
        done(a);
      },
    });
    answer(machine.expectMmio('read', 0xd0000004, 4), 0xfeedface);
    assert.equal(exitValue(machine.expectMmio('write', 0xfffffff8, 4)), 0xfeedfacen);
    machine.expectDone();
  },
};

const aboveFourGib: ConformanceCase = {
  name: 'the address of an exit above 4 GiB is exact',
  run(t) {
    const gpa = 0x7f_1234_5000;
    const machine = t.machine({
      code(a) {
        a.mov(r9, SPARE);
        a.mov(rax, qword(r9, 0x678));
        a.mov(byte(r9, 0xfff), bl);
        done(a);
      },
    });
    // SPARE lies in the first 2 MiB page: give that range a page table that maps SPARE elsewhere.
    const table = SPARE + PAGE;
    for (let page = 0; page < 512; page++) machine.memory.writeU64(table + page * 8, BigInt(page * PAGE + 3));
    machine.memory.writeU64(table + (SPARE / PAGE) * 8, BigInt(gpa) + 3n);
    machine.memory.writeU64(PAGE_DIRECTORIES, BigInt(table + 3));
    machine.expectMmio('read', gpa + 0x678, 8);
    machine.expectMmio('write', gpa + 0xfff, 1);
    machine.expectDone();
  },
};

const vectorAccess: ConformanceCase = {
  name: 'a 16-byte SSE access arrives in pieces of 8 bytes',
  needs: ['sse'],
  run(t) {
    const machine = t.machine({
      code(a) {
        enableSse(a);
        a.mov(edi, DATA);
        a.movups(xmm0, at(rdi, 0));
        a.mov(esi, MMIO);
        a.movups(at(rsi, 0x10), xmm0);
        a.movups(xmm1, at(rsi, 0x20));
        a.movups(at(rdi, 0x10), xmm1);
        report(a, 1);
        done(a);
      },
    });
    machine.memory.writeU64(DATA, VALUE);
    machine.memory.writeU64(DATA + 8, ~VALUE & 0xffffffffffffffffn);
    assert.equal(exitValue(machine.expectMmio('write', MMIO + 0x10, 8)), VALUE);
    assert.equal(exitValue(machine.expectMmio('write', MMIO + 0x18, 8)), ~VALUE & 0xffffffffffffffffn);
    answer(machine.expectMmio('read', MMIO + 0x20, 8), 0x1111n);
    answer(machine.expectMmio('read', MMIO + 0x28, 8), 0x2222n);
    assert.deepEqual(machine.finish(), [1]);
    assert.equal(machine.memory.readU64(DATA + 0x10), 0x1111n);
    assert.equal(machine.memory.readU64(DATA + 0x18), 0x2222n);
  },
};

export const mmioCases: readonly ConformanceCase[] = [
  ...reads,
  ...writes,
  ...mmioInstructionCases,
  ...stringMmioCases,
  unaligned,
  acrossMmioPages,
  acrossRamAndMmio,
  acrossMmioAndRam,
  realMode,
  protectedMode,
  aboveFourGib,
  vectorAccess,
];
