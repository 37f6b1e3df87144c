import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SEGMENT_NAMES } from '@vireo/hypervisor';
import { initialRegisters } from './initial-registers.ts';

test('PVH: protected mode without paging, EBX at the start info, EFLAGS.IF clear', () => {
  const entry = { protocol: 'pvh', entryGpa: 0x1000850, bootInfoGpa: 0x2000 } as const;
  const { registers, special } = initialRegisters(entry);
  assert.equal(registers.rip, 0x1000850n);
  assert.equal(registers.rbx, 0x2000n);
  assert.equal(registers.rflags, 2n);
  assert.equal(special.cr0, 0x11n);
  assert.deepEqual([special.cr4, special.efer, special.cr3], [0n, 0n, 0n]);
  assert.deepEqual([special.cs.defaultBig, special.cs.long, special.cs.limit], [true, false, 0xffffffff]);
});

test('64-bit entry: long mode on the identity map, RSI at the zero page, __BOOT_CS and __BOOT_DS', () => {
  const entry = { protocol: 'linux64', entryGpa: 0x1000200, bootInfoGpa: 0x7000 } as const;
  const { registers, special } = initialRegisters(entry);
  assert.deepEqual([registers.rip, registers.rsi, registers.rbx], [0x1000200n, 0x7000n, 0n]);
  assert.equal(special.cr0, 0x80000011n);
  assert.equal(special.efer, 0x500n);
  assert.equal(special.cr4, 0x20n);
  assert.deepEqual([special.cs.selector, special.ds.selector, special.ss.selector], [0x10, 0x18, 0x18]);
  assert.deepEqual([special.cs.long, special.cs.defaultBig], [true, false]);
});

test('segments are objects of their own, and only the LDT is unusable', () => {
  const { special } = initialRegisters({ protocol: 'pvh', entryGpa: 0, bootInfoGpa: 0 });
  assert.equal(new Set(SEGMENT_NAMES.map((name) => special[name])).size, SEGMENT_NAMES.length);
  assert.deepEqual(
    SEGMENT_NAMES.filter((name) => special[name].unusable),
    ['ldt'],
  );
});
