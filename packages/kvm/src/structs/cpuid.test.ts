import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CpuidEntry } from '@vireo/hypervisor';
import fc from 'fast-check';
import { record, U32, U64 } from '../testing/arbitrary-state.ts';
import { CStruct } from '../testing/c-struct.ts';
import { cpuidBuffer, decodeCpuid, encodeCpuid, encodeMsrs, msrValue } from './cpuid.ts';

const ENTRY: fc.Arbitrary<CpuidEntry> = record({
  leaf: U32,
  subleaf: fc.option(U32),
  eax: U32,
  ebx: U32,
  ecx: U32,
  edx: U32,
});

describe('struct kvm_cpuid2', () => {
  test('leaves are where C has them', () => {
    const entries: CpuidEntry[] = [
      { leaf: 0x80000008, subleaf: null, eax: 0x3030, ebx: 0xffffffff, ecx: 3, edx: 4 },
      { leaf: 0xd, subleaf: 7, eax: 1, ebx: 2, ecx: 0x80000000, edx: 0xfedcba98 },
    ];
    const bytes = encodeCpuid(entries);
    const c = new CStruct('kvm_cpuid2', bytes.length).set('nent', 2);
    for (const i of [0, 1] as const) {
      const { leaf, subleaf, eax, ebx, ecx, edx } = entries[i]!;
      c.set(`entries[${i}].function`, leaf).set(`entries[${i}].index`, subleaf ?? 0);
      c.set(`entries[${i}].flags`, subleaf !== null); // KVM_CPUID_FLAG_SIGNIFCANT_INDEX is 1
      c.set(`entries[${i}].eax`, eax).set(`entries[${i}].ebx`, ebx);
      c.set(`entries[${i}].ecx`, ecx).set(`entries[${i}].edx`, edx);
    }
    assert.deepEqual(bytes, c.bytes);
  });

  test('every list survives the way there and back', () => {
    fc.assert(
      fc.property(fc.array(ENTRY, { maxLength: 100 }), (entries) => {
        assert.deepEqual(decodeCpuid(encodeCpuid(entries)), entries);
      }),
    );
  });

  test('an index without the flag that makes it significant is not a subleaf', () => {
    const c = new CStruct('kvm_cpuid2', cpuidBuffer(1))
      .set('entries[0].function', 1)
      .set('entries[0].index', 9);
    assert.equal(decodeCpuid(c.bytes)[0]!.subleaf, null);
  });

  test('only as many entries are read as KVM says it wrote', () => {
    const c = new CStruct('kvm_cpuid2', cpuidBuffer(128)).set('nent', 1).set('entries[1].function', 7);
    assert.equal(decodeCpuid(c.bytes).length, 1);
  });

  test('a count that the buffer does not hold is refused, not read past the end', () => {
    const c = new CStruct('kvm_cpuid2', cpuidBuffer(2)).set('nent', 0xffffffff);
    assert.throws(() => decodeCpuid(c.bytes), RangeError);
  });
});

describe('struct kvm_msrs', () => {
  test('entries are where C has them', () => {
    const bytes = encodeMsrs([
      { index: 0xc0000080, value: 0xd01n },
      { index: 0x10, value: 2n ** 64n - 1n },
    ]);
    const c = new CStruct('kvm_msrs', bytes.length).set('nmsrs', 2);
    c.set('entries[0].index', 0xc0000080).set('entries[0].data', 0xd01n);
    c.set('entries[1].index', 0x10).set('entries[1].data', 2n ** 64n - 1n);
    assert.deepEqual(bytes, c.bytes);
  });

  test('every value is read back from its place', () => {
    const entries = fc.array(record({ index: U32, value: U64 }), { maxLength: 64 });
    fc.assert(
      fc.property(entries, (msrs) => {
        const bytes = encodeMsrs(msrs);
        for (const [i, { value }] of msrs.entries()) assert.equal(msrValue(bytes, i), value);
      }),
    );
  });
});
