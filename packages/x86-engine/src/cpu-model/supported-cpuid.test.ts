import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CpuidEntry } from '@vireo/hypervisor';
import { INSTRUCTIONS } from '@vireo/x86-isa';
import fc from 'fast-check';
import { type CpuidOptions, supportedCpuid } from './supported-cpuid.ts';

type Register = 'eax' | 'ebx' | 'ecx' | 'edx';

/** As CPUID has it: a leaf that is not there is zero. */
function cpuid(leaf: number, subleaf = 0, options?: CpuidOptions): CpuidEntry {
  const matches = supportedCpuid(options).filter(
    (it) => it.leaf === leaf && (it.subleaf === null || it.subleaf === subleaf),
  );
  assert.ok(matches.length <= 1, `leaf ${leaf.toString(16)} is there once`);
  return matches[0] ?? { leaf, subleaf, eax: 0, ebx: 0, ecx: 0, edx: 0 };
}

const bits = (value: number, high: number, low: number) =>
  Math.floor(value / 2 ** low) % 2 ** (high - low + 1);

function shows(leaf: number, register: Register, bit: number, subleaf = 0): boolean {
  return bits(cpuid(leaf, subleaf)[register], bit, bit) === 1;
}

function text(leaf: number, registers: readonly Register[]): string {
  const entry = cpuid(leaf);
  return new TextDecoder('latin1').decode(Uint32Array.from(registers, (it) => entry[it]));
}

test('names: vendor, brand, KVM’s signature', () => {
  assert.equal(text(0, ['ebx', 'edx', 'ecx']), 'GenuineIntel');
  assert.equal(text(0x40000000, ['ebx', 'ecx', 'edx']), 'KVMKVMKVM\0\0\0');
  const registers: Register[] = ['eax', 'ebx', 'ecx', 'edx'];
  const brand = [0x80000002, 0x80000003, 0x80000004].map((leaf) => text(leaf, registers)).join('');
  assert.equal(brand.replace(/\0+$/, ''), 'Vireo x86-64 engine');
  assert.equal(brand.length, 48);
});

test('the signature is of a model that Linux knows to execute in order', () => {
  const { eax } = cpuid(1);
  const family = bits(eax, 11, 8);
  const model = bits(eax, 7, 4) + 16 * bits(eax, 19, 16);
  assert.equal(family, 6);
  assert.ok([0x1c, 0x26, 0x27, 0x35, 0x36].includes(model), model.toString(16));
});

test('features of x86-64-v2 (System V ABI, x86-64 supplement, Table 3.1)', () => {
  for (const bit of [8, 15, 23, 24, 25, 26, 0]) assert.ok(shows(1, 'edx', bit), `leaf 1 EDX ${bit}`);
  for (const bit of [0, 9, 13, 19, 20, 23]) assert.ok(shows(1, 'ecx', bit), `leaf 1 ECX ${bit}`);
  assert.ok(shows(0x80000001, 'ecx', 0), 'LAHF and SAHF in 64-bit mode');
  for (const bit of [11, 20, 29]) assert.ok(shows(0x80000001, 'edx', bit), `leaf 8000_0001H EDX ${bit}`);
});

test('every feature that the instruction table names can be taken away, and is there otherwise', () => {
  const features = new Set(INSTRUCTIONS.flatMap(({ feature }) => feature ?? []));
  assert.ok(features.size > 15);
  const all = JSON.stringify(supportedCpuid());
  for (const feature of features) {
    const without = JSON.stringify(supportedCpuid({ without: [feature] }));
    assert.notEqual(without, all, String(feature));
  }
});

test('nothing that needs more than the engine has, or that works around speculation', () => {
  const hidden: [number, Register, number[]][] = [
    [1, 'ecx', [2, 3, 5, 6, 7, 12, 15, 27, 28, 29]], // DTES64 MONITOR VMX SMX EIST FMA PDCM OSXSAVE AVX F16C
    [1, 'edx', [1, 21, 22, 28, 29]], // VME DS ACPI HTT TM
    [7, 'ebx', [2, 4, 5, 11, 16, 25]], // SGX HLE AVX2 RTM AVX512F PT
    [7, 'ecx', [3, 7, 16, 22]], // PKU CET_SS LA57 RDPID
    [7, 'edx', [10, 11, 13, 20, 26, 27, 28, 30, 31]], // MD_CLEAR, RTM, CET_IBT, IBRS and so on
    [0x80000008, 'ebx', [12, 14, 15, 24]], // IBPB and so on
  ];
  for (const [leaf, register, positions] of hidden)
    for (const bit of positions)
      assert.ok(!shows(leaf, register, bit), `${leaf.toString(16)} ${register} ${bit}`);
  assert.equal(cpuid(0xa).eax, 0, 'no performance counters');
});

test('time: an invariant counter, a timer that always runs, a stable kvmclock of both numbers', () => {
  assert.ok(shows(0x80000007, 'edx', 8) && shows(6, 'eax', 2) && shows(1, 'ecx', 24) && shows(7, 'ebx', 1));
  assert.equal(cpuid(0x40000001).eax, 2 ** 0 + 2 ** 1 + 2 ** 3 + 2 ** 24);
});

test('leaf 15H: the crystal’s frequency times the ratio is the counter’s', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 32 - 1 }), (tscKhz) => {
      const { eax, ebx, ecx } = cpuid(0x15, 0, { tscKhz });
      assert.equal(BigInt(ecx) * BigInt(ebx), BigInt(tscKhz) * 1000n * BigInt(eax));
      assert.deepEqual(
        [eax, ebx, ecx].map((it) => it >>> 0),
        [eax, ebx, ecx],
      );
      assert.equal(cpuid(0x40000010, 0, { tscKhz }).eax, tscKhz);
      assert.ok(cpuid(0x16, 0, { tscKhz }).eax <= 0xffff);
    }),
  );
  const { eax, ebx, ecx } = cpuid(0x15);
  assert.deepEqual([eax, ebx, ecx], [1, 1, 1_000_000_000]);
});

test('leaf 4: ways, lines and sets make the sizes, level by level; leaf 8000_0006H agrees', () => {
  const sizes = [0, 1, 2, 3].map((subleaf) => {
    const { eax, ebx, ecx } = cpuid(4, subleaf);
    const lineBytes = bits(ebx, 11, 0) + 1;
    const ways = bits(ebx, 31, 22) + 1;
    assert.equal(lineBytes, 8 * bits(cpuid(1).ebx, 15, 8), 'CLFLUSH’s line');
    assert.equal(bits(ebx, 21, 12), 0, 'one partition');
    return [bits(eax, 4, 0), bits(eax, 7, 5), ((ecx + 1) * ways * lineBytes) / 1024];
  });
  assert.deepEqual(sizes, [
    [1, 1, 32],
    [2, 1, 32],
    [3, 2, 1024],
    [3, 3, 32768],
  ]);
  assert.equal(bits(cpuid(4, 4).eax, 4, 0), 0, 'no more');
  const { ecx } = cpuid(0x80000006);
  assert.deepEqual([bits(ecx, 31, 16), bits(ecx, 15, 12), bits(ecx, 7, 0)], [1024, 8, 64]);
});

test('leaf 0BH is there, for the machine to fill in', () => {
  assert.equal(bits(cpuid(0xb, 0).ecx, 15, 8), 1);
  assert.equal(bits(cpuid(0xb, 1).ecx, 15, 8), 2);
  assert.equal(bits(cpuid(0xb, 2).ecx, 15, 8), 0);
});

test('leaf 0DH is x87 and SSE in 576 bytes, and is gone with XSAVE', () => {
  const { eax, ebx, ecx } = cpuid(0xd);
  assert.deepEqual([eax, ebx, ecx], [3, 576, 576]);
  assert.deepEqual([cpuid(0xd, 1).eax, cpuid(0xd, 1).ebx], [3, 576], 'XSAVEOPT and XSAVEC');
  const without: CpuidOptions = { without: ['XSAVE'] };
  assert.equal(cpuid(0xd, 0, without).eax, 0);
  assert.equal(cpuid(0xd, 1, without).eax, 0);
  assert.equal(bits(cpuid(1, 0, without).ecx, 26, 26), 0);
});

test('addresses have the width asked for', () => {
  assert.equal(cpuid(0x80000008).eax, 40 | (48 << 8));
  assert.equal(bits(cpuid(0x80000008, 0, { physicalAddressBits: 46 }).eax, 7, 0), 46);
});

test('leaves are in order, once, in unsigned words, none above the highest that its range says', () => {
  const entries = supportedCpuid();
  const keys = entries.map(({ leaf, subleaf }) => leaf * 256 + (subleaf ?? 0));
  assert.deepEqual(
    keys,
    [...new Set(keys)].sort((a, b) => a - b),
  );
  for (const { leaf, eax, ebx, ecx, edx } of entries) {
    for (const word of [eax, ebx, ecx, edx]) assert.equal(word >>> 0, word);
    const base = leaf - (leaf % 2 ** 28);
    assert.ok(leaf <= cpuid(base).eax, leaf.toString(16));
  }
  assert.ok(cpuid(7).eax >= 1);
});
