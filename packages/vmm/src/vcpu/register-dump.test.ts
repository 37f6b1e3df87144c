import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  GENERAL_REGISTER_NAMES,
  type GeneralRegisters,
  SEGMENT_NAMES,
  type Segment,
  type SpecialRegisters,
} from '@vireo/hypervisor/vcpu-state';
import { formatRegisters } from './register-dump.ts';

const SEGMENT: Segment = {
  selector: 0x10,
  base: 0n,
  limit: 0xffffffff,
  type: 0xb,
  nonSystem: true,
  dpl: 0,
  present: true,
  available: false,
  long: true,
  defaultBig: false,
  granularity: true,
  unusable: false,
};

function general(): GeneralRegisters {
  const names = [...GENERAL_REGISTER_NAMES, 'rip', 'rflags'] as const;
  return Object.fromEntries(names.map((name, i) => [name, BigInt(i + 1)])) as GeneralRegisters;
}

function special(): SpecialRegisters {
  const segments = Object.fromEntries(SEGMENT_NAMES.map((name) => [name, { ...SEGMENT }]));
  const controls = { cr0: 0x80050033n, cr2: 0xdeadn, cr3: 0x1000n, cr4: 0x620n, cr8: 0n };
  return {
    ...(segments as Record<(typeof SEGMENT_NAMES)[number], Segment>),
    ...controls,
    gdt: { base: 0xfffffe0000001000n, limit: 0x7f },
    idt: { base: 0xfffffe0000000000n, limit: 0xfff },
    efer: 0xd01n,
    apicBase: 0xfee00900n,
  };
}

test('every register is there once, under its name', () => {
  const text = formatRegisters({ ...general(), rip: 0xffffffff81000000n, rflags: 0x10246n }, special());
  for (const name of [...GENERAL_REGISTER_NAMES, 'rip', 'rflags', ...SEGMENT_NAMES, 'gdt', 'idt'])
    assert.equal(text.match(new RegExp(`\\b${name} `, 'g'))?.length, 1, name);
  for (const name of ['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apic base'])
    assert.equal(text.match(new RegExp(`\\b${name} [0-9a-f]{16}`, 'g'))?.length, 1, name);
});

test('values are hexadecimal, as wide as the register, in aligned columns', () => {
  const text = formatRegisters({ ...general(), rax: 2n ** 64n - 1n, rip: 0xffffffff81000000n }, special());
  const lines = text.split('\n');
  assert.equal(
    lines[0],
    'rax ffffffffffffffff  rcx 0000000000000002  rdx 0000000000000003  rbx 0000000000000004',
  );
  assert.equal(
    lines[2],
    'r8  0000000000000009  r9  000000000000000a  r10 000000000000000b  r11 000000000000000c',
  );
  assert.equal(lines[4], 'rip ffffffff81000000  rflags 00000012');
  assert.equal(lines[5], 'cs  0010  base 0000000000000000  limit ffffffff  type b  dpl 0');
  assert.equal(lines[13], 'gdt fffffe0000001000+7f  idt fffffe0000000000+fff');
  assert.equal(
    lines[14],
    'cr0 0000000080050033  cr2 000000000000dead  cr3 0000000000001000  cr4 0000000000000620',
  );
  assert.equal(lines[15], 'cr8 0000000000000000  efer 0000000000000d01  apic base 00000000fee00900');
  assert.equal(lines.length, 16);
});
