import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Bus } from '@vireo/devices/bus';
import type { IoExit, MmioExit, Vcpu, VcpuExit } from '@vireo/hypervisor';
import fc from 'fast-check';
import { ExitLoop } from './exit-loop.ts';
import { COMMAND_STOP, type DeviceAccess, HostMailbox, mailboxBuffer, VcpuMailbox } from './mailbox.ts';

const LOCAL_PORT = 0x3f8;
const REMOTE_PORT = 0x70;

/** A vCPU that exits as it is told; after the last exit it fails, so that the loop ends. */
function scriptedVcpu(exits: readonly (VcpuExit | (() => VcpuExit))[]): Vcpu {
  const script = exits.values();
  const run = (): VcpuExit => {
    const { value, done } = script.next();
    if (done) return { kind: 'shutdown' };
    return typeof value === 'function' ? value() : value;
  };
  return { run } as unknown as Vcpu;
}

/** Where the accesses of a loop end: in the mailbox, answered at once, or in the local bus. */
class Recorder extends VcpuMailbox {
  readonly remote: DeviceAccess[] = [];
  readonly local: { isWrite: boolean; offset: number; sizeBytes: number; value: number }[] = [];
  readonly bus = new Bus('local I/O ports');
  readonly host: HostMailbox;
  answer: (index: number) => number = () => 0;
  #answers = 0;

  constructor() {
    const buffer = mailboxBuffer(1);
    super(buffer, 0);
    this.host = new HostMailbox(buffer, 1);
    this.bus.attach(LOCAL_PORT, 8, {
      name: 'local device',
      read: (offset, sizeBytes) => {
        this.local.push({ isWrite: false, offset, sizeBytes, value: 0 });
        return this.answer(this.#answers++);
      },
      write: (offset, sizeBytes, value) => void this.local.push({ isWrite: true, offset, sizeBytes, value }),
    });
  }

  override access(
    isWrite: boolean,
    isMmio: boolean,
    address: number,
    sizeBytes: number,
    value: number,
  ): number {
    this.remote.push({ isWrite, isMmio, address, sizeBytes, value });
    return this.answer(this.#answers++);
  }

  run(...exits: (VcpuExit | (() => VcpuExit))[]) {
    return new ExitLoop(scriptedVcpu(exits), this, this.bus).run();
  }
}

function io(direction: 'in' | 'out', port: number, sizeBytes: 1 | 2 | 4, data: Uint8Array): IoExit {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return { kind: 'io', direction, port, sizeBytes, count: data.length / sizeBytes, data: view };
}

function mmio(direction: 'read' | 'write', gpa: number, lengthBytes: number, data: Uint8Array): MmioExit {
  return { kind: 'mmio', direction, gpa, lengthBytes, data: new DataView(data.buffer) };
}

const SIZE = fc.constantFrom(1 as const, 2 as const, 4 as const);
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

function littleEndian(data: Uint8Array, at: number, sizeBytes: number): number {
  return Buffer.from(data).readUIntLE(at, sizeBytes);
}

describe('port I/O', () => {
  for (const [where, port] of [
    ['local', LOCAL_PORT],
    ['remote', REMOTE_PORT],
  ] as const) {
    test(`OUT and OUTS to a ${where} port: each item in order, unsigned`, () => {
      fc.assert(
        fc.property(
          SIZE,
          fc.integer({ min: 1, max: 20 }),
          fc.infiniteStream(fc.nat(255)),
          (size, count, stream) => {
            const data = Uint8Array.from({ length: size * count }, () => stream.next().value);
            const recorder = new Recorder();
            recorder.run(io('out', port, size, data));
            const values = Array.from({ length: count }, (_, i) => littleEndian(data, i * size, size));
            const seen = where === 'local' ? recorder.local : recorder.remote;
            assert.deepEqual(
              seen.map(({ value }) => value),
              values,
            );
            assert.ok(seen.every(({ isWrite, sizeBytes }) => isWrite && sizeBytes === size));
            assert.equal(recorder.local.length + recorder.remote.length, count);
          },
        ),
      );
    });

    test(`IN and INS from a ${where} port: each item in its place, and no byte beside them`, () => {
      fc.assert(
        fc.property(
          SIZE,
          fc.integer({ min: 1, max: 20 }),
          fc.infiniteStream(fc.nat(0xffff_ffff)),
          (size, count, stream) => {
            const recorder = new Recorder();
            const answers = Array.from({ length: count }, () => stream.next().value);
            recorder.answer = (i) => answers[i]!;
            const data = new Uint8Array(size * count + 4).fill(0xee);
            recorder.run(io('in', port, size, data.subarray(0, size * count)));
            for (const [i, answer] of answers.entries())
              assert.equal(
                littleEndian(data, i * size, size),
                size === 4 ? answer : answer % 2 ** (8 * size),
              );
            assert.deepEqual([...data.subarray(size * count)], [0xee, 0xee, 0xee, 0xee]);
          },
        ),
      );
    });
  }

  test('remote accesses say port, space and size; reads carry no value', () => {
    const recorder = new Recorder();
    recorder.run(io('out', 0xcf8, 4, Uint8Array.of(0, 0, 0, 0x80)), io('in', 0xffff, 1, new Uint8Array(1)));
    assert.deepEqual(recorder.remote, [
      { isWrite: true, isMmio: false, address: 0xcf8, sizeBytes: 4, value: 0x8000_0000 },
      { isWrite: false, isMmio: false, address: 0xffff, sizeBytes: 1, value: 0 },
    ]);
  });

  test('local accesses have offsets', () => {
    const recorder = new Recorder();
    recorder.run(io('out', LOCAL_PORT + 7, 1, Uint8Array.of(0xa5)));
    assert.deepEqual(recorder.local, [{ isWrite: true, offset: 7, sizeBytes: 1, value: 0xa5 }]);
  });
});

describe('MMIO', () => {
  const GPA = fc.constantFrom(0xe000_0000, 0xfec0_0010, 2 ** 32, 2 ** 45 + 0x8000_0000, 2 ** 52 - 8);

  for (let length = 1; length <= 8; length++) {
    test(`${length} bytes: in parts of 4 at most, which together are the access`, () => {
      fc.assert(
        fc.property(GPA, bytes(8), (gpa, data) => {
          const writer = new Recorder();
          writer.run(mmio('write', gpa, length, data));
          const written: number[] = [];
          for (const { isWrite, isMmio, address, sizeBytes, value } of writer.remote) {
            assert.ok(isWrite && isMmio);
            assert.equal(address, gpa + written.length);
            for (let i = 0; i < sizeBytes; i++) written.push(Math.floor(value / 2 ** (8 * i)) % 256);
          }
          assert.deepEqual(written, [...data.subarray(0, length)]);
          assert.deepEqual(
            writer.remote.map(({ sizeBytes }) => sizeBytes),
            length <= 4 ? [length] : [4, length - 4],
          );
        }),
      );
      fc.assert(
        fc.property(GPA, bytes(8), bytes(8), (gpa, answers, before) => {
          const reader = new Recorder();
          reader.answer = (i) => littleEndian(answers, i * 4, 4);
          const data = before.slice();
          reader.run(mmio('read', gpa, length, data));
          assert.deepEqual([...data.subarray(0, length)], [...answers.subarray(0, length)]);
          assert.deepEqual(data.subarray(length), before.subarray(length));
          assert.ok(reader.remote.every(({ isWrite, value }) => !isWrite && value === 0));
        }),
      );
    });
  }

  test('an address that is a local port as a number is not local', () => {
    const recorder = new Recorder();
    recorder.run(mmio('read', LOCAL_PORT, 1, new Uint8Array(8)));
    assert.equal(recorder.local.length, 0);
    assert.equal(recorder.remote.length, 1);
  });
});

describe('the end of the loop', () => {
  test('a kick is looked at: the loop goes on unless it is told to stop', () => {
    const recorder = new Recorder();
    const interrupted: VcpuExit = { kind: 'interrupted' };
    let ran = 0;
    const end = recorder.run(
      interrupted,
      { kind: 'interrupt-window' },
      () => {
        ran++;
        recorder.host.command(0, COMMAND_STOP);
        return io('out', REMOTE_PORT, 1, Uint8Array.of(1)); // served first: the instruction must be whole
      },
      interrupted,
      () => {
        ran++;
        return interrupted;
      },
    );
    assert.deepEqual(end, { kind: 'commanded' });
    assert.equal(ran, 1);
    assert.equal(recorder.remote.length, 1);
  });

  for (const exit of [
    { kind: 'hlt' },
    { kind: 'shutdown' },
    { kind: 'debug', exception: 1, pc: 0n, dr6: 0n, dr7: 0n },
    { kind: 'system-event', event: 'crash', code: 0 },
    { kind: 'fail-entry', hardwareReason: 0x80000021n },
    { kind: 'internal-error', suberror: 1, detail: [], instructionBytes: new Uint8Array() },
    { kind: 'unknown', reason: 99 },
  ] as const satisfies VcpuExit[]) {
    test(`'${exit.kind}' ends it, with the exit`, () => {
      const recorder = new Recorder();
      assert.deepEqual(recorder.run(exit), { kind: 'failed', exit });
    });
  }

  test('what the accelerator throws is passed on', () => {
    const recorder = new Recorder();
    const refuse = () => {
      throw new Error('ioctl KVM_RUN: bad address (EFAULT)');
    };
    assert.throws(() => recorder.run(refuse), /EFAULT/);
  });
});
