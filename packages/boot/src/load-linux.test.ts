import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '@vireo/errors';
import { GuestMemory } from '@vireo/guest-memory';
import fc from 'fast-check';
import { ArraySource } from './byte-source.ts';
import { identifyKernel } from './identify.ts';
import { type LoadedKernel, type LoadLinuxOptions, loadLinux } from './load-linux.ts';
import type { MemoryMapEntry } from './memory-map.ts';
import { buildBzImage, buildElf, buildMemory, pcMemoryMap } from './synthetic-kernels.ts';

const MIB = 1 << 20;
const FILLER = 0xa5;
const MEMORY_BYTES = 8 * MIB;
const KERNEL_GPA = 4 * MIB;
const RSDP_GPA = 0xe0000;

const code = Uint8Array.from({ length: 5000 }, (_, i) => i * 7);
const pvhElf = buildElf({
  segments: [{ gpa: KERNEL_GPA, bytes: code, memoryBytes: 20_000 }],
  pvhEntryGpa: KERNEL_GPA + 0x10,
});
const linux64Elf = buildElf({
  segments: [{ gpa: KERNEL_GPA, gva: 0xffff_ffff_8100_0000n, bytes: code, memoryBytes: 20_000 }],
});
const bzImage = buildBzImage({ payload: code, prefAddress: KERNEL_GPA, initSizeBytes: 2 * MIB });

type Options = Partial<LoadLinuxOptions> & { file?: Uint8Array; sizeBytes?: number };

function load({ file = pvhElf, sizeBytes = MEMORY_BYTES, ...options }: Options = {}) {
  const { memory, bytes } = buildMemory(sizeBytes, FILLER);
  const source = new ArraySource(file, 'k');
  const loaded = loadLinux({
    memory,
    kernel: { source, image: identifyKernel(source) },
    commandLine: 'console=ttyS0',
    memoryMap: pcMemoryMap(sizeBytes),
    rsdpGpa: RSDP_GPA,
    ...options,
  });
  return { memory, bytes, loaded, view: new DataView(bytes.buffer) };
}

function refusal(options: Options): UserError {
  const sizeBytes = options.sizeBytes ?? MEMORY_BYTES;
  const { memory, bytes } = buildMemory(sizeBytes, FILLER);
  try {
    load({ ...options, memory, memoryMap: options.memoryMap ?? pcMemoryMap(sizeBytes) });
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    assert.ok(
      bytes.every((byte) => byte === FILLER),
      'something was written before the refusal',
    );
    return error;
  }
  throw new assert.AssertionError({ message: 'expected a UserError' });
}

function text(bytes: Uint8Array, gpa: number): string {
  return Buffer.from(bytes.subarray(gpa, bytes.indexOf(0, gpa))).toString();
}

test('PVH: start info with command line, RSDP, memory map and initrd', () => {
  const initrd = new ArraySource(
    Uint8Array.from({ length: 9000 }, (_, i) => i),
    'i',
  );
  const { loaded, view, bytes } = load({ initrd });
  assert.deepEqual([loaded.protocol, loaded.entryGpa], ['pvh', KERNEL_GPA + 0x10]);
  const info = loaded.bootInfoGpa;
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  assert.equal(view.getUint32(info, true), 0x336ec578);
  assert.equal(view.getUint32(info + 4, true), 1);
  assert.equal(view.getUint32(info + 8, true), 0);
  assert.equal(text(bytes, u64(info + 24)), 'console=ttyS0');
  assert.equal(u64(info + 32), RSDP_GPA);
  const map = u64(info + 40);
  assert.equal(view.getUint32(info + 48, true), 3);
  assert.deepEqual([u64(map + 48), u64(map + 56), view.getUint32(map + 64, true)], [MIB, 7 * MIB, 1]);
  assert.equal(view.getUint32(map + 24 + 16, true), 2);
  assert.equal(view.getUint32(info + 12, true), 1);
  const module = u64(info + 16);
  assert.deepEqual([u64(module), u64(module + 8)], [loaded.initrd?.start, 9000]);
  assert.deepEqual(
    bytes.subarray(u64(module), u64(module) + 300),
    Uint8Array.from({ length: 300 }, (_, i) => i),
  );
});

test('without an initrd there is no module', () => {
  const { loaded, view } = load();
  assert.equal(loaded.initrd, undefined);
  assert.equal(view.getUint32(loaded.bootInfoGpa + 12, true), 0);
});

test('a segment’s bytes, then zeros up to its size in memory, and nothing after', () => {
  const { bytes } = load();
  assert.deepEqual(bytes.subarray(KERNEL_GPA, KERNEL_GPA + code.length), code);
  assert.ok(bytes.subarray(KERNEL_GPA + code.length, KERNEL_GPA + 20_000).every((byte) => byte === 0));
  assert.equal(bytes[KERNEL_GPA + 20_000], FILLER);
});

test('memory known to be zero is not cleared again', () => {
  const { bytes } = load({ memoryIsZero: true });
  assert.equal(bytes[KERNEL_GPA + code.length], FILLER);
});

for (const [name, file, entry] of [
  ['a bzImage', bzImage, KERNEL_GPA + 0x200],
  ['a vmlinux without PVH', linux64Elf, KERNEL_GPA],
] as const) {
  test(`64-bit entry of ${name}: zero page, E820, command line, initrd`, () => {
    const initrd = new ArraySource(new Uint8Array(5000).fill(1), 'i');
    const { loaded, view, bytes } = load({ file, initrd });
    assert.deepEqual([loaded.protocol, loaded.entryGpa], ['linux64', entry]);
    const page = loaded.bootInfoGpa;
    assert.equal(view.getUint16(page + 0x1fe, true), 0xaa55);
    assert.equal(view.getUint32(page + 0x202, true), 0x53726448);
    assert.equal(view.getUint8(page + 0x210), 0xff);
    assert.equal(text(bytes, view.getUint32(page + 0x228, true)), 'console=ttyS0');
    assert.equal(view.getUint32(page + 0x218, true), loaded.initrd?.start);
    assert.equal(view.getUint32(page + 0x21c, true), 5000);
    assert.equal(view.getBigUint64(page + 0x70, true), BigInt(RSDP_GPA));
    assert.equal(view.getUint8(page + 0x1e8), 3);
    assert.equal(view.getBigUint64(page + 0x2d0 + 40, true), BigInt(MIB));
    assert.equal(view.getUint32(page + 0x2d0 + 20 + 16, true), 2);
  });
}

test('64-bit entry: the setup header is the kernel’s, up to its end', () => {
  const { loaded, bytes } = load({ file: bzImage });
  const page = bytes.subarray(loaded.bootInfoGpa, loaded.bootInfoGpa + 4096);
  const kept = [0x1f1, 0x206, 0x230, 0x236, 0x258, 0x260];
  for (const at of kept) assert.equal(page[at], bzImage[at]);
  assert.ok(page.subarray(0x26d, 0x2d0).every((byte) => byte === 0));
  assert.deepEqual(bytes.subarray(KERNEL_GPA, KERNEL_GPA + 0x1000), bzImage.subarray(2048, 2048 + 4096));
});

test('64-bit entry: page tables map the first 4 GiB to themselves', () => {
  const { view } = load({ file: bzImage });
  const frame = (entry: bigint) => Number(entry & 0xffff_ffff_f000n);
  for (const gpa of [0, 0x7000, KERNEL_GPA + 0x200, 0x7fffffff, 0xfee00000, 0xffffffff]) {
    const pdpt = view.getBigUint64(0x9000, true);
    const directory = view.getBigUint64(frame(pdpt) + Math.floor(gpa / 2 ** 30) * 8, true);
    const page = view.getBigUint64(frame(directory) + (Math.floor(gpa / 2 ** 21) % 512) * 8, true);
    assert.deepEqual([pdpt & 3n, directory & 3n, page & 0x83n], [3n, 3n, 0x83n]);
    assert.equal(frame(page), gpa - (gpa % 2 ** 21));
  }
});

test('a bzImage that cannot be relocated is loaded at 1 MiB', () => {
  const file = buildBzImage({
    payload: code,
    relocatable: false,
    prefAddress: KERNEL_GPA,
    initSizeBytes: MIB,
  });
  const { loaded, bytes } = load({ file });
  assert.equal(loaded.entryGpa, 0x100200);
  assert.deepEqual(bytes.subarray(0x100000, 0x100100), file.subarray(2048, 2048 + 256));
});

test('loading again over used memory gives the same', () => {
  const first = load();
  const { memory } = first;
  const before = Uint8Array.from(first.bytes);
  first.bytes.subarray(KERNEL_GPA, KERNEL_GPA + 20_000).fill(0x77);
  load({ memory });
  assert.deepEqual(Buffer.compare(first.bytes, before), 0);
});

test('the initrd lies as high as RAM and the kernel allow, on a page', () => {
  const initrd = new ArraySource(new Uint8Array(5000), 'i');
  assert.equal(load({ initrd }).loaded.initrd?.start, MEMORY_BYTES - 8192);
  const file = buildBzImage({ payload: code, prefAddress: MIB, initSizeBytes: MIB, initrdAddrMax: 0x5fffff });
  assert.equal(load({ initrd, file }).loaded.initrd?.start, 6 * MIB - 8192);
});

/** Guest memory of several regions, one for each place. */
function regions(...places: [gpa: number, sizeBytes: number][]): GuestMemory {
  return new GuestMemory(
    places.map(([gpa, sizeBytes]) => ({
      gpa,
      sizeBytes,
      backing: { fd: -1, fdOffset: 0, hva: 0, sizeBytes, buffer: new ArrayBuffer(sizeBytes) },
      backingOffset: 0,
      readonly: false,
    })),
  );
}

test('RAM above 4 GiB takes no initrd', () => {
  const memory = regions([0, MEMORY_BYTES], [2 ** 32, MEMORY_BYTES]);
  const high: MemoryMapEntry = { gpa: 2 ** 32, sizeBytes: MEMORY_BYTES, kind: 'ram' };
  const memoryMap = [...pcMemoryMap(MEMORY_BYTES), high];
  const initrd = new ArraySource(new Uint8Array(5000), 'i');
  assert.equal(load({ memory, memoryMap, initrd }).loaded.initrd?.start, MEMORY_BYTES - 8192);
});

test('kernel and initrd may cross the seam between two memory regions', () => {
  const seam = KERNEL_GPA + 4096;
  const memory = regions([0, seam], [seam, MEMORY_BYTES - seam]);
  load({ memory });
  const halves = [memory.view(KERNEL_GPA, 4096), memory.view(seam, code.length - 4096)];
  assert.deepEqual(Buffer.concat(halves), Buffer.from(code));
});

test('too little memory says how much it takes, and writes nothing', () => {
  const error = refusal({ sizeBytes: 4 * MIB });
  assert.equal(error.code, 'memory-too-small');
  assert.match(error.message, /the kernel needs 5 MiB of memory to start, the machine has 4 MiB/);
  assert.match(error.fix ?? '', /--memory 64M/);
});

test('a bzImage takes its init_size', () => {
  assert.match(refusal({ file: bzImage, sizeBytes: 5 * MIB }).message, /needs 6 MiB/);
});

test('an initrd that does not fit above the kernel is too little memory, too', () => {
  const initrd = new ArraySource(new Uint8Array(4 * MIB), 'i');
  const error = refusal({ initrd });
  assert.equal(error.code, 'memory-too-small');
  assert.match(error.message, /the kernel and its initrd need 9 MiB/);
});

test('command lines: 2047 bytes are taken, 2048 are not, a header may say less', () => {
  const { bytes } = load({ commandLine: 'x'.repeat(2047) });
  assert.equal(text(bytes, 0x20000).length, 2047);
  assert.equal(refusal({ commandLine: 'x'.repeat(2048) }).code, 'command-line-too-long');
  const file = buildBzImage({ payload: code, prefAddress: MIB, initSizeBytes: MIB, commandLineBytes: 255 });
  assert.match(
    refusal({ file, commandLine: 'x'.repeat(256) }).message,
    /has 256 bytes, this kernel takes 255/,
  );
  assert.equal(refusal({ commandLine: 'a\0b' }).code, 'command-line-invalid');
});

test('a command line is counted in bytes, not in characters', () => {
  assert.equal(refusal({ commandLine: 'é'.repeat(1024) }).code, 'command-line-too-long');
});

test('a kernel that wants the boot data’s place, or a hole in memory, is refused', () => {
  const low = buildElf({ segments: [{ gpa: 0x8000, bytes: code }], pvhEntryGpa: 0x8000 });
  assert.equal(refusal({ file: low }).code, 'kernel-misplaced');
  const rom = buildElf({ segments: [{ gpa: 0xf0000, bytes: code }], pvhEntryGpa: 0xf0000 });
  assert.equal(refusal({ file: rom }).code, 'kernel-misplaced');
});

test('whatever a kernel and its machine are: a refusal that writes nothing, or everything apart and in RAM', () => {
  const segment = fc.record({ page: fc.nat(3000), pages: fc.integer({ min: 1, max: 1500 }) });
  const machine = fc.record({
    segments: fc.array(segment, { minLength: 1, maxLength: 3 }),
    sizeMib: fc.integer({ min: 2, max: 8 }),
    initrdBytes: fc.nat(2 * MIB),
  });
  fc.assert(
    fc.property(machine, ({ segments, sizeMib, initrdBytes }) => {
      const sizeBytes = sizeMib * MIB;
      const file = buildElf({
        segments: segments.map(({ page, pages }) => ({
          gpa: page * 4096,
          bytes: code.subarray(0, 16),
          memoryBytes: pages * 4096,
        })),
        pvhEntryGpa: segments[0]!.page * 4096,
      });
      const initrd = new ArraySource(new Uint8Array(initrdBytes), 'i');
      checkLoad({ file, initrd, sizeBytes });
    }),
    { numRuns: 100 },
  );
});

function checkLoad(options: Options & { sizeBytes: number }): void {
  const { memory } = buildMemory(options.sizeBytes);
  let loaded: LoadedKernel;
  try {
    loaded = load({ ...options, memory, memoryIsZero: true }).loaded;
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return;
  }
  const all = [...loaded.kernel, ...(loaded.initrd ? [loaded.initrd] : [])].sort((a, b) => a.start - b.start);
  for (const [i, range] of all.entries()) {
    assert.ok(range.end <= (all[i + 1]?.start ?? options.sizeBytes));
    assert.ok(range.end <= 0x9fc00 || range.start >= MIB);
  }
}
