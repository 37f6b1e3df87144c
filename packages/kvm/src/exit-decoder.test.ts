import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { VcpuExit } from '@vireo/hypervisor';
import fc from 'fast-check';
import * as abi from './abi.ts';
import { RunPage } from './exit-decoder.ts';
import { U8, U16, U32, U64 } from './testing/arbitrary-state.ts';
import { CStruct } from './testing/c-struct.ts';

/** What KVM_GET_VCPU_MMAP_SIZE gives on x86-64: the structure, the page of PIO data, the coalesced ring. */
const RUN_SIZE_BYTES = 3 * 4096;
/** KVM_PIO_PAGE_OFFSET is 1 page. */
const PIO_DATA = 4096;

function runPage() {
  const buffer = new ArrayBuffer(RUN_SIZE_BYTES);
  const c = new CStruct('kvm_run', new Uint8Array(buffer));
  return { page: new RunPage(buffer), c, bytes: c.bytes };
}

function decodeReason(reason: number): VcpuExit {
  const { page, c } = runPage();
  c.set('exit_reason', reason);
  return page.decode();
}

describe('io exits', () => {
  test('direction, size, port and count are as C has them, and the data is where KVM says', () => {
    const io = fc.record({
      direction: fc.constantFrom(0, abi.KVM_EXIT_IO_OUT),
      size: fc.constantFrom(1, 2, 4),
      port: U16,
      count: fc.integer({ min: 1, max: 1024 }),
    });
    const { page, c, bytes } = runPage();
    fc.assert(
      fc.property(io, U8, ({ direction, size, port, count }, first) => {
        c.set('exit_reason', abi.KVM_EXIT_IO).set('io.direction', direction).set('io.size', size);
        c.set('io.port', port).set('io.count', count).set('io.data_offset', PIO_DATA);
        bytes[PIO_DATA] = first;
        const exit = page.decode();
        assert.ok(exit.kind === 'io');
        assert.equal(exit.direction, direction === 0 ? 'in' : 'out');
        assert.deepEqual([exit.sizeBytes, exit.port, exit.count], [size, port, count]);
        assert.equal(exit.data.getUint8(0), first);
        // The answer goes where KVM looks for it.
        exit.data.setUint8(size * count - 1, first ^ 0xff);
        assert.equal(bytes[PIO_DATA + size * count - 1], first ^ 0xff);
      }),
    );
  });

  test('a burst makes no objects: the exit and its data are used again', () => {
    const { page, c } = runPage();
    c.set('exit_reason', abi.KVM_EXIT_IO).set('io.data_offset', PIO_DATA).set('io.size', 1);
    const first = page.decode();
    assert.ok(first.kind === 'io');
    const { data } = first;
    c.set('io.port', 0x3f8);
    const second = page.decode();
    assert.ok(second.kind === 'io');
    assert.equal(second, first);
    assert.equal(second.data, data);
    assert.equal(second.port, 0x3f8);
    c.set('io.data_offset', PIO_DATA + 8);
    assert.equal((page.decode() as typeof second).data.byteOffset, PIO_DATA + 8);
  });

  test('data outside the mapping is refused, not read', () => {
    const { page, c } = runPage();
    c.set('exit_reason', abi.KVM_EXIT_IO).set('io.data_offset', RUN_SIZE_BYTES + 1);
    assert.throws(() => page.decode(), RangeError);
  });
});

describe('mmio exits', () => {
  test('address, length, direction and data are as C has them, up to 52 address bits', () => {
    const { page, c, bytes } = runPage();
    const gpas = fc.bigInt({ min: 0n, max: 2n ** 52n - 1n });
    fc.assert(
      fc.property(gpas, fc.integer({ min: 1, max: 8 }), U8, U64, (gpa, length, isWrite, value) => {
        c.set('exit_reason', abi.KVM_EXIT_MMIO).set('mmio.phys_addr', gpa).set('mmio.len', length);
        c.set('mmio.is_write', isWrite).set('mmio.data', value);
        const exit = page.decode();
        assert.ok(exit.kind === 'mmio');
        assert.equal(exit.gpa, Number(gpa));
        assert.equal(exit.lengthBytes, length);
        assert.equal(exit.direction, isWrite === 0 ? 'read' : 'write');
        assert.equal(exit.data.byteLength, 8);
        assert.equal(exit.data.getBigUint64(0, true), value);
        exit.data.setUint8(length - 1, 0x5a);
        assert.equal(bytes[40 + length - 1], 0x5a);
      }),
    );
  });
});

describe('other exits', () => {
  test('those without data', () => {
    const kinds = {
      [abi.KVM_EXIT_HLT]: 'hlt',
      [abi.KVM_EXIT_SHUTDOWN]: 'shutdown',
      [abi.KVM_EXIT_INTR]: 'interrupted',
      [abi.KVM_EXIT_IRQ_WINDOW_OPEN]: 'interrupt-window',
    };
    for (const [reason, kind] of Object.entries(kinds))
      assert.deepEqual(decodeReason(Number(reason)), { kind });
  });

  test('debug', () => {
    fc.assert(
      fc.property(U32, U64, U64, U64, (exception, pc, dr6, dr7) => {
        const { page, c } = runPage();
        c.set('exit_reason', abi.KVM_EXIT_DEBUG).set('debug.arch.exception', exception);
        c.set('debug.arch.pc', pc).set('debug.arch.dr6', dr6).set('debug.arch.dr7', dr7);
        assert.deepEqual(page.decode(), { kind: 'debug', exception, pc, dr6, dr7 });
      }),
    );
  });

  test('system events, known and unknown, with and without data', () => {
    const events = ['other', 'shutdown', 'reset', 'crash', 'other', 'other'];
    for (const [type, event] of events.entries()) {
      const { page, c } = runPage();
      c.set('exit_reason', abi.KVM_EXIT_SYSTEM_EVENT).set('system_event.type', type);
      c.set('system_event.data[0]', 77);
      assert.deepEqual(page.decode(), { kind: 'system-event', event, code: 0 });
      c.set('system_event.ndata', 1);
      assert.deepEqual(page.decode(), { kind: 'system-event', event, code: 77 });
    }
  });

  test('fail-entry, with all 64 bits of the reason', () => {
    const { page, c } = runPage();
    c.set('exit_reason', abi.KVM_EXIT_FAIL_ENTRY);
    c.set('fail_entry.hardware_entry_failure_reason', 0xffff_ffff_8000_0021n);
    assert.deepEqual(page.decode(), { kind: 'fail-entry', hardwareReason: 0xffff_ffff_8000_0021n });
  });

  test('what the contract has no meaning for keeps its number', () => {
    const known = [2, 4, 5, 6, 7, 8, 9, 10, 17, 24];
    for (let reason = 0; reason < 64; reason++) {
      if (!known.includes(reason)) assert.deepEqual(decodeReason(reason), { kind: 'unknown', reason });
    }
    assert.deepEqual(decodeReason(0xffffffff), { kind: 'unknown', reason: 0xffffffff });
  });
});

describe('internal errors', () => {
  const failure = (suberror: number, ndata: number, flags: number, size: number) => {
    const { page, c, bytes } = runPage();
    c.set('exit_reason', abi.KVM_EXIT_INTERNAL_ERROR).set('emulation_failure.suberror', suberror);
    c.set('emulation_failure.ndata', ndata).set('emulation_failure.flags', flags);
    c.set('emulation_failure.insn_size', size);
    for (let i = 0; i < 15; i++) bytes[49 + i] = 0xa0 + i;
    const exit = page.decode();
    assert.ok(exit.kind === 'internal-error');
    return exit;
  };

  test('an emulation failure shows the instruction that KVM fetched', () => {
    const exit = failure(abi.KVM_INTERNAL_ERROR_EMULATION, 4, 1, 5);
    assert.equal(exit.suberror, 1);
    assert.equal(exit.detail.length, 4);
    assert.deepEqual([...exit.instructionBytes], [0xa0, 0xa1, 0xa2, 0xa3, 0xa4]);
  });

  test('without the flag, the data or the suberror there are no bytes of an instruction', () => {
    assert.equal(failure(abi.KVM_INTERNAL_ERROR_EMULATION, 4, 0, 5).instructionBytes.length, 0);
    assert.equal(failure(abi.KVM_INTERNAL_ERROR_EMULATION, 0, 1, 5).instructionBytes.length, 0);
    assert.equal(failure(3, 4, 1, 5).instructionBytes.length, 0);
  });

  test('counts and sizes beyond the structure are cut', () => {
    assert.equal(failure(3, 0xffffffff, 1, 5).detail.length, 16);
    assert.equal(failure(abi.KVM_INTERNAL_ERROR_EMULATION, 4, 1, 255).instructionBytes.length, 15);
  });

  test('the bytes are a copy: the next exit does not change them', () => {
    const { page, c, bytes } = runPage();
    c.set('exit_reason', abi.KVM_EXIT_INTERNAL_ERROR).set('emulation_failure.suberror', 1);
    c.set('emulation_failure.ndata', 4)
      .set('emulation_failure.flags', 1)
      .set('emulation_failure.insn_size', 2);
    const exit = page.decode();
    bytes.fill(0xff);
    assert.ok(exit.kind === 'internal-error');
    assert.deepEqual([...exit.instructionBytes], [0, 0]);
  });
});

test('whatever is in the page, decoding gives an exit or a RangeError, and the page is as it was', () => {
  const start = fc.uint8Array({ minLength: 200, maxLength: 200 });
  fc.assert(
    fc.property(start, fc.oneof(fc.nat(40), U32), (head, reason) => {
      const { page, c, bytes } = runPage();
      bytes.set(head);
      c.set('exit_reason', reason);
      const before = bytes.slice();
      try {
        assert.equal(typeof page.decode().kind, 'string');
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
      assert.deepEqual(bytes, before);
    }),
  );
});

test('the flags for KVM are where C has them, and alone', () => {
  const { page, c, bytes } = runPage();
  page.immediateExit = true;
  assert.equal(c.get('immediate_exit'), 1n);
  page.interruptWindowRequested = true;
  assert.equal(c.get('request_interrupt_window'), 1n);
  page.immediateExit = false;
  page.interruptWindowRequested = false;
  assert.ok(bytes.every((byte) => byte === 0));
});
