/** What accelerators on an AMD and an Intel host say they can show, as far as the CPU model looks at it. */
import type { CpuidEntry } from '@vireo/hypervisor';

function entry(leaf: number, subleaf: number | null, registers: Partial<CpuidEntry>): CpuidEntry {
  return { leaf, subleaf, eax: 0, ebx: 0, ecx: 0, edx: 0, ...registers };
}

/** The twelve characters of leaf 0. */
function vendor(name: string, maxLeaf: number): CpuidEntry {
  const [ebx, edx, ecx] = [0, 4, 8].map((at) => Buffer.from(name).readUInt32LE(at));
  return entry(0, null, { eax: maxLeaf, ebx: ebx!, edx: edx!, ecx: ecx! });
}

/** The host's own identity, which no guest must see: APIC id 0x2a, 32 logical processors, threads on. */
const LEAF_1 = entry(1, null, { eax: 0x00a20f12, ebx: 0x2a200800, ecx: 0x76f82203, edx: 0x178bfbff });

/** EAX of leaf 4 and 8000_001DH: type and level, and how many of the host's processors share the cache. */
const cacheEax = (type: number, level: number, sharing: number) =>
  (type | (level << 5) | (1 << 8) | ((sharing - 1) << 14)) >>> 0;

export function amdCpuid(name = 'AuthenticAMD'): CpuidEntry[] {
  return [
    vendor(name, 0x10),
    LEAF_1,
    entry(4, 0, {}), // reserved: reads as no cache
    entry(7, 0, { ebx: 0x219c95a9 }),
    entry(0xb, 0, { eax: 1, ebx: 2, ecx: 0x100, edx: 0x2a }),
    entry(0xb, 1, { eax: 5, ebx: 32, ecx: 0x201, edx: 0x2a }),
    entry(0x40000000, null, { eax: 0x40000001, ebx: 0x4b4d564b, ecx: 0x564b4d56, edx: 0x4d }),
    entry(0x80000001, null, { eax: 0x00a20f12, ecx: 0x75c237ff, edx: 0x2fd3fbff }),
    entry(0x80000008, null, { eax: 0x3030, ebx: 0x111ef657, ecx: 0x501f }),
    entry(0x8000001d, 0, { eax: cacheEax(1, 1, 2), ebx: 0x01c0003f, ecx: 63 }),
    entry(0x8000001d, 1, { eax: cacheEax(2, 1, 2), ebx: 0x01c0003f, ecx: 63 }),
    entry(0x8000001d, 2, { eax: cacheEax(3, 2, 2), ebx: 0x01c0003f, ecx: 1023 }),
    entry(0x8000001d, 3, { eax: cacheEax(3, 3, 16), ebx: 0x03c0003f, ecx: 32767, edx: 1 }),
    entry(0x8000001d, 4, {}),
    entry(0x8000001e, null, { eax: 0x2a, ebx: 0x115, ecx: 0x100 }),
    entry(0x80000026, 0, { eax: 0x40000001, ebx: 2, ecx: 0x100, edx: 0x2a }),
  ];
}

export function intelCpuid(): CpuidEntry[] {
  return [
    vendor('GenuineIntel', 0x1f),
    LEAF_1,
    entry(4, 0, { eax: (cacheEax(1, 1, 2) | (15 << 26)) >>> 0, ebx: 0x01c0003f, ecx: 63 }),
    entry(4, 1, { eax: (cacheEax(2, 1, 2) | (15 << 26)) >>> 0, ebx: 0x01c0003f, ecx: 63 }),
    entry(4, 2, { eax: (cacheEax(3, 2, 2) | (15 << 26)) >>> 0, ebx: 0x04c0003f, ecx: 1023 }),
    entry(4, 3, { eax: (cacheEax(3, 3, 32) | (15 << 26)) >>> 0, ebx: 0x02c0003f, ecx: 24575, edx: 4 }),
    entry(4, 4, {}),
    entry(7, 0, { ebx: 0xf1bf07ab }),
    entry(0xb, 0, { eax: 1, ebx: 2, ecx: 0x100, edx: 0x2a }),
    entry(0xb, 1, { eax: 6, ebx: 32, ecx: 0x201, edx: 0x2a }),
    entry(0x1f, 0, { eax: 1, ebx: 2, ecx: 0x100, edx: 0x2a }),
    entry(0x80000001, null, { ecx: 0x121, edx: 0x2c100800 }),
    entry(0x80000008, null, { eax: 0x302e, ebx: 0x200 }),
  ];
}
