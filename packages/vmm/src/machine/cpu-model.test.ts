import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CpuidEntry } from '@vireo/hypervisor';
import { amdCpuid, intelCpuid } from '../testing/host-cpuid.ts';
import { cpuidFor, FIRMWARE_MSRS } from './cpu-model.ts';

const CPU_COUNTS = [1, 2, 3, 4, 5, 8, 63, 64];
const HOSTS = { AMD: amdCpuid(), Intel: intelCpuid(), Hygon: amdCpuid('HygonGenuine') };

function model(supported: CpuidEntry[], id: number, cpus: number, tscDeadlineTimer = true): CpuidEntry[] {
  return cpuidFor(id, { supported, cpus, tscDeadlineTimer });
}

function leaf(entries: readonly CpuidEntry[], number: number, subleaf: number | null = null): CpuidEntry {
  const found = entries.filter((entry) => entry.leaf === number && entry.subleaf === subleaf);
  assert.equal(found.length, 1, `leaf 0x${number.toString(16)}.${subleaf}`);
  return found[0]!;
}

const bits = (value: number, high: number, low: number) => (value >>> low) & (2 ** (high - low + 1) - 1);
const bit = (value: number, index: number) => bits(value, index, index) === 1;

/** The least width that counts so many. */
const widthFor = (count: number) => 32 - Math.clz32(count - 1);

/** Every vCPU of machines of every size, on every kind of host. */
function forEveryVcpu(check: (entries: CpuidEntry[], id: number, cpus: number, host: string) => void): void {
  for (const [host, supported] of Object.entries(HOSTS)) {
    for (const cpus of CPU_COUNTS) {
      for (const id of new Set([0, 1, cpus >> 1, cpus - 1])) {
        if (id < cpus) check(model(supported, id, cpus), id, cpus, host);
      }
    }
  }
}

describe('leaf 1 (Intel SDM Vol. 2A "CPUID—CPU Identification")', () => {
  test('EBX has the vCPU’s APIC id and the package’s count, and keeps what else is there', () => {
    forEveryVcpu((entries, id, cpus) => {
      const { ebx } = leaf(entries, 1);
      assert.equal(bits(ebx, 31, 24), id);
      assert.equal(bits(ebx, 23, 16), cpus);
      assert.equal(bits(ebx, 15, 0), 0x0800); // CLFLUSH size, brand index
    });
  });

  test('HTT says whether there is more than one', () => {
    forEveryVcpu((entries, _id, cpus) => assert.equal(bit(leaf(entries, 1).edx, 28), cpus > 1));
  });

  test('a hypervisor and x2APIC are always there, the TSC deadline where the accelerator has it', () => {
    for (const supported of Object.values(HOSTS)) {
      const deadlines = [true, false].map((tscDeadlineTimer) => {
        const { ecx } = leaf(model(supported, 0, 2, tscDeadlineTimer), 1);
        assert.ok(bit(ecx, 31) && bit(ecx, 21));
        return bit(ecx, 24);
      });
      assert.deepEqual(deadlines, [true, false]);
    }
  });
});

describe('leaf 0BH "Extended Topology Enumeration Leaf"', () => {
  /** Intel SDM Vol. 3A §8.9.3.1 "Hierarchical ID of Logical Processors with x2APIC ID". */
  function identify(entries: readonly CpuidEntry[]) {
    const levels: CpuidEntry[] = [];
    for (let subleaf = 0; bits(leaf(entries, 0xb, subleaf).ecx, 15, 8) !== 0; subleaf++) {
      const level = leaf(entries, 0xb, subleaf);
      assert.equal(bits(level.ecx, 7, 0), subleaf);
      levels.push(level);
    }
    const shiftOf = (type: number) => levels.find(({ ecx }) => bits(ecx, 15, 8) === type)!.eax;
    const x2apicId = leaf(entries, 0xb, 0).edx;
    const [smtShift, coreShift] = [shiftOf(1), shiftOf(2)];
    return {
      x2apicId,
      thread: x2apicId & (2 ** smtShift - 1),
      core: (x2apicId & (2 ** coreShift - 1)) >>> smtShift,
      socket: x2apicId >>> coreShift,
      processors: levels.map(({ ebx }) => ebx),
    };
  }

  test('one socket, a core for each vCPU, no threads', () => {
    forEveryVcpu((entries, id, cpus) => {
      assert.deepEqual(identify(entries), {
        x2apicId: id,
        thread: 0,
        core: id,
        socket: 0,
        processors: [1, cpus],
      });
    });
  });

  test('the level behind the last is empty, and has the x2APIC id all the same', () => {
    forEveryVcpu((entries, id) => {
      assert.deepEqual(leaf(entries, 0xb, 2), {
        leaf: 0xb,
        subleaf: 2,
        eax: 0,
        ebx: 0,
        ecx: 2,
        edx: id,
      });
    });
  });

  test('is the only leaf of its kind: the host’s own topology is nowhere', () => {
    forEveryVcpu((entries) => {
      const topology = entries.filter((entry) => [0xb, 0x1f, 0x80000026].includes(entry.leaf));
      assert.deepEqual(
        topology.map((entry) => [entry.leaf, entry.subleaf]),
        [
          [0xb, 0],
          [0xb, 1],
          [0xb, 2],
        ],
      );
    });
  });

  test('is not there where the accelerator has none', () => {
    const supported = amdCpuid().filter((entry) => entry.leaf !== 0xb);
    assert.ok(!model(supported, 0, 4).some((entry) => entry.leaf === 0xb));
  });
});

/** Type, level, and how many logical processors share each cache, as leaf 4 and 8000_001DH have them. */
function caches(entries: readonly CpuidEntry[], number: number) {
  return entries
    .filter((entry) => entry.leaf === number && bits(entry.eax, 4, 0) !== 0)
    .map(({ eax }) => ({
      type: bits(eax, 4, 0),
      level: bits(eax, 7, 5),
      selfInitializing: bit(eax, 8),
      sharedBy: bits(eax, 25, 14) + 1,
      rest: bits(eax, 31, 26),
    }));
}

const cachesOf = (cpus: number, rest: number) =>
  [
    { type: 1, level: 1, sharedBy: 1 },
    { type: 2, level: 1, sharedBy: 1 },
    { type: 3, level: 2, sharedBy: 1 },
    { type: 3, level: 3, sharedBy: cpus },
  ].map((cache) => ({ ...cache, selfInitializing: true, rest }));

describe('Intel', () => {
  test('leaf 4: a core’s caches are its own, the level 3 is everybody’s; cores of the package', () => {
    for (const cpus of CPU_COUNTS) {
      const entries = model(intelCpuid(), 0, cpus);
      assert.deepEqual(caches(entries, 4), cachesOf(cpus, cpus - 1));
      assert.deepEqual(leaf(entries, 4, 4), { leaf: 4, subleaf: 4, eax: 0, ebx: 0, ecx: 0, edx: 0 });
      assert.equal(leaf(entries, 4, 3).ecx, 24575); // the sizes stay
    }
  });

  test('software without leaf 0BH finds one thread a core too (Vol. 3A §8.9.3.2)', () => {
    for (const cpus of CPU_COUNTS) {
      const entries = model(intelCpuid(), cpus - 1, cpus);
      const logical = bits(leaf(entries, 1).ebx, 23, 16);
      const cores = bits(leaf(entries, 4, 0).eax, 31, 26) + 1;
      assert.equal(widthFor(logical), widthFor(cores));
      assert.ok(bits(leaf(entries, 1).ebx, 31, 24) >>> widthFor(logical) === 0);
    }
  });

  test('what only AMD defines stays as it was', () => {
    const before = intelCpuid();
    const after = model(before, 3, 4);
    for (const number of [0x80000001, 0x80000008])
      assert.deepEqual(leaf(after, number), leaf(before, number));
  });
});

describe('AMD (APM Vol. 3 Appendix E "Obtaining Processor Information Via the CPUID Instruction")', () => {
  for (const name of ['AuthenticAMD', 'HygonGenuine']) {
    test(`${name}: 8000_0008H counts cores and the bits of their ids`, () => {
      for (const cpus of CPU_COUNTS) {
        const { eax, ebx, ecx } = leaf(model(amdCpuid(name), 0, cpus), 0x80000008);
        assert.equal(bits(ecx, 7, 0), cpus - 1);
        assert.equal(bits(ecx, 15, 12), widthFor(cpus));
        assert.equal(bits(ecx, 31, 16) | bits(ecx, 11, 8), 0);
        assert.deepEqual([eax, ebx], [0x3030, 0x111ef657]);
      }
    });
  }

  test('8000_0001H: HTT means cores, not threads, where there is more than one (CmpLegacy)', () => {
    for (const cpus of CPU_COUNTS) {
      const { ecx } = leaf(model(amdCpuid(), 0, cpus), 0x80000001);
      assert.equal(bit(ecx, 1), cpus > 1);
      assert.equal((ecx | 2) >>> 0, 0x75c237ff);
    }
  });

  test('8000_001DH: a core’s caches are its own, the level 3 is everybody’s', () => {
    for (const cpus of CPU_COUNTS) {
      const entries = model(amdCpuid(), 0, cpus);
      assert.deepEqual(caches(entries, 0x8000001d), cachesOf(cpus, 0));
      assert.equal(leaf(entries, 0x8000001d, 4).eax, 0);
    }
  });

  test('8000_001EH: APIC id, core id, one thread a core, one node', () => {
    for (const cpus of CPU_COUNTS) {
      for (const id of [0, cpus - 1]) {
        const { eax, ebx, ecx } = leaf(model(amdCpuid(), id, cpus), 0x8000001e);
        assert.deepEqual([eax, ebx, ecx], [id, id, 0]);
      }
    }
  });

  test('leaf 4, which is Intel’s, stays empty', () => {
    assert.equal(leaf(model(amdCpuid(), 0, 8), 4, 0).eax, 0);
  });
});

test('all values are unsigned 32-bit numbers, and nothing of the host’s list is changed', () => {
  const before = structuredClone(HOSTS);
  forEveryVcpu((entries) => {
    for (const { eax, ebx, ecx, edx } of entries)
      for (const value of [eax, ebx, ecx, edx]) assert.equal(value, value >>> 0);
  });
  assert.deepEqual(HOSTS, before);
});

test('all vCPUs of a machine differ in their ids alone', () => {
  for (const supported of Object.values(HOSTS)) {
    const withoutIds = (entries: CpuidEntry[]) =>
      entries.map((entry) => {
        if (entry.leaf === 1) return { ...entry, ebx: entry.ebx & 0xffffff };
        if (entry.leaf === 0xb) return { ...entry, edx: 0 };
        if (entry.leaf === 0x8000001e) return { ...entry, eax: 0, ebx: 0 };
        return entry;
      });
    const all = Array.from({ length: 64 }, (_, id) => withoutIds(model(supported, id, 64)));
    for (const one of all) assert.deepEqual(one, all[0]);
  }
});

test('firmware’s MSRs: fast strings on (Intel SDM Vol. 4 Table 2-2), MTRRs on and write-back (Vol. 3A Figure 11-7)', () => {
  const values = new Map(FIRMWARE_MSRS.map(({ index, value }) => [index, value]));
  assert.equal(values.get(0x1a0), 1n); // IA32_MISC_ENABLE[0]
  assert.equal(values.get(0x2ff), (1n << 11n) | 6n); // IA32_MTRR_DEF_TYPE: E, type WB
  assert.equal(values.size, 2);
});
