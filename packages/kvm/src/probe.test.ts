import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { VcpuExit } from '@vireo/hypervisor';
import { probe } from './probe.ts';
import { FakeHypervisor } from './testing/fake-hypervisor.ts';

const CODE = 0x10000;
const HLT: VcpuExit = { kind: 'hlt' };
const ERROR: VcpuExit = {
  kind: 'internal-error',
  suberror: 1,
  detail: [],
  instructionBytes: new Uint8Array(),
};

const PXOR = '660fefc0';
const CMPXCHG16B = 'f0480fc70f';
const INC_RAX = '48ffc0';

/** The probe's instructions up to HLT, as hexadecimal. */
function codeIn(memory: Uint8Array): string {
  const end = memory.indexOf(0xf4, CODE);
  return Buffer.from(memory.subarray(CODE, end)).toString('hex');
}

/** A KVM that gives up on these instructions. */
function emulatorWithout(...instructions: string[]) {
  return new FakeHypervisor((memory) => {
    const code = codeIn(memory);
    assert.notEqual(code, '');
    return instructions.some((bytes) => code.includes(bytes)) ? ERROR : HLT;
  });
}

const NOTHING_BUT_THE_HYPERVISOR = { hypervisors: 1, vms: 0, handles: 0, vcpus: 0 };

describe('probe', () => {
  test('one VM is enough where everything runs', () => {
    let runs = 0;
    const fake = new FakeHypervisor(() => {
      runs++;
      return HLT;
    });
    assert.deepEqual(probe(fake.hypervisor), { kind: 'able' });
    assert.equal(runs, 1);
    assert.deepEqual(fake.open, NOTHING_BUT_THE_HYPERVISOR);
  });

  test('says which instructions KVM gave up on, and only those', () => {
    for (const [instructions, missing] of [
      [[PXOR], ['SSE2']],
      [[CMPXCHG16B], ['CMPXCHG16B']],
      [
        [PXOR, CMPXCHG16B],
        ['SSE2', 'CMPXCHG16B'],
      ],
      [[INC_RAX], ['64-bit mode']],
    ] as const) {
      const fake = emulatorWithout(...instructions);
      assert.deepEqual(probe(fake.hypervisor), { kind: 'unable', missing });
      assert.deepEqual(fake.open, NOTHING_BUT_THE_HYPERVISOR);
    }
  });

  test('a signal in between is no failure, but a KVM that never runs the guest is', () => {
    let runs = 0;
    const interrupted = new FakeHypervisor(() => (++runs % 5 === 0 ? HLT : { kind: 'interrupted' }));
    assert.deepEqual(probe(interrupted.hypervisor), { kind: 'able' });
    const stuck = new FakeHypervisor(() => ({ kind: 'interrupted' }));
    assert.deepEqual(probe(stuck.hypervisor), {
      kind: 'unable',
      missing: ['64-bit mode', 'SSE2', 'CMPXCHG16B'],
    });
  });

  test('nothing is left open when running fails', () => {
    const fake = new FakeHypervisor(() => {
      throw new Error('KVM_RUN: EFAULT');
    });
    assert.throws(() => probe(fake.hypervisor), /EFAULT/);
    assert.deepEqual(fake.open, NOTHING_BUT_THE_HYPERVISOR);
  });

  test('the guest has page tables that map its code, its data and themselves', () => {
    const fake = new FakeHypervisor((memory) => {
      const view = new DataView(memory.buffer, memory.byteOffset);
      assert.equal(view.getBigUint64(0x2000, true), 0x3003n); // PML4 → PDPT
      assert.equal(view.getBigUint64(0x3000, true), 0x4003n); // PDPT → page directory
      assert.equal(view.getBigUint64(0x4000, true), 0x83n); // 2 MiB at 0
      return HLT;
    });
    assert.deepEqual(probe(fake.hypervisor), { kind: 'able' });
  });
});
