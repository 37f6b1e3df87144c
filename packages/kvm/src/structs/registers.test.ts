import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GENERAL_REGISTER_NAMES, SEGMENT_NAMES } from '@vireo/hypervisor';
import fc from 'fast-check';
import { SIZEOF_KVM_REGS, SIZEOF_KVM_SREGS } from '../abi.ts';
import { REGISTERS, SPECIAL } from '../testing/arbitrary-state.ts';
import { CStruct } from '../testing/c-struct.ts';
import {
  decodeRegisters,
  decodeSpecialRegisters,
  encodeRegisters,
  encodeSpecialRegisters,
} from './registers.ts';

describe('struct kvm_regs', () => {
  test('every register is where C has it', () => {
    fc.assert(
      fc.property(REGISTERS, (registers) => {
        const c = new CStruct('kvm_regs', SIZEOF_KVM_REGS);
        for (const name of [...GENERAL_REGISTER_NAMES, 'rip', 'rflags'] as const)
          c.set(name, registers[name]);
        assert.deepEqual(encodeRegisters(registers), c.bytes);
        assert.deepEqual(decodeRegisters(c.bytes), registers);
      }),
    );
  });

  test('whatever bytes KVM gives come back the same', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: SIZEOF_KVM_REGS, maxLength: SIZEOF_KVM_REGS }), (bytes) => {
        assert.deepEqual(encodeRegisters(decodeRegisters(bytes)), bytes);
      }),
    );
  });
});

describe('struct kvm_sregs', () => {
  test('every segment, table and control register is where C has it', () => {
    fc.assert(
      fc.property(SPECIAL, (special) => {
        const c = new CStruct('kvm_sregs', SIZEOF_KVM_SREGS);
        for (const name of SEGMENT_NAMES) {
          const segment = special[name];
          c.set(`${name}.base`, segment.base).set(`${name}.limit`, segment.limit);
          c.set(`${name}.selector`, segment.selector).set(`${name}.type`, segment.type);
          c.set(`${name}.present`, segment.present).set(`${name}.dpl`, segment.dpl);
          c.set(`${name}.db`, segment.defaultBig).set(`${name}.s`, segment.nonSystem);
          c.set(`${name}.l`, segment.long).set(`${name}.g`, segment.granularity);
          c.set(`${name}.avl`, segment.available).set(`${name}.unusable`, segment.unusable);
        }
        for (const name of ['gdt', 'idt'] as const) {
          c.set(`${name}.base`, special[name].base).set(`${name}.limit`, special[name].limit);
        }
        for (const name of ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'] as const) c.set(name, special[name]);
        c.set('apic_base', special.apicBase);
        assert.deepEqual(encodeSpecialRegisters(special), c.bytes);
        assert.deepEqual(decodeSpecialRegisters(c.bytes), special);
      }),
    );
  });

  test('the bitmap of queued interrupts is never set', () => {
    const all = new Uint8Array(SIZEOF_KVM_SREGS).fill(0xff);
    const encoded = encodeSpecialRegisters(decodeSpecialRegisters(all));
    assert.ok(encoded.subarray(SIZEOF_KVM_SREGS - 32).every((byte) => byte === 0));
  });

  test('a structure inside a larger buffer is read from where it starts', () => {
    const outer = new Uint8Array(SIZEOF_KVM_SREGS + 16).fill(0xee);
    const inner = outer.subarray(16);
    inner.fill(0);
    new CStruct('kvm_sregs', inner).set('cs.selector', 8).set('apic_base', 0xfee00900n);
    const special = decodeSpecialRegisters(inner);
    assert.equal(special.cs.selector, 8);
    assert.equal(special.apicBase, 0xfee00900n);
  });
});
