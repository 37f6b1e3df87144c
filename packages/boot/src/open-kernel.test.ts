import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { UserError } from '@vireo/errors';
import { loadLinux } from './load-linux.ts';
import { type OpenKernelOptions, openKernel } from './open-kernel.ts';
import { buildBzImage, buildElf, buildMemory, codeLikeBytes, pcMemoryMap } from './synthetic-kernels.ts';

const MIB = 1 << 20;
const MEMORY_BYTES = 12 * MIB;
const KERNEL_GPA = 2 * MIB;
const root = mkdtempSync(join(tmpdir(), 'vireo-open-kernel-'));
after(() => rmSync(root, { recursive: true }));

const code = codeLikeBytes(300_000);
code.fill(0, 100_000, 200_000);
const vmlinux = buildElf({
  segments: [{ gpa: KERNEL_GPA, gva: 0xffff_ffff_8100_0000n, bytes: code, memoryBytes: 500_000 }],
  pvhEntryGpa: KERNEL_GPA,
});
const bzImageOf = (payload: Uint8Array) => buildBzImage({ payload, prefAddress: KERNEL_GPA });
const bzImage = bzImageOf(gzipSync(vmlinux));

let cacheDirectory = '';
let kernel = '';
let count = 0;
beforeEach(() => {
  cacheDirectory = join(root, `cache-${++count}`);
  kernel = join(root, `kernel-${count}`);
});

/** Files changed a moment ago are not recorded by identity: let them settle. */
async function write(bytes: Uint8Array): Promise<void> {
  writeFileSync(kernel, bytes);
  await sleep(60);
}

function open(options: Partial<OpenKernelOptions> = {}) {
  const opened = openKernel(kernel, { cacheDirectory, ...options });
  const { memory, bytes } = buildMemory(MEMORY_BYTES);
  const loaded = loadLinux({
    memory,
    kernel: opened,
    commandLine: '',
    memoryMap: pcMemoryMap(MEMORY_BYTES),
    rsdpGpa: 0,
    memoryIsZero: true,
  });
  opened.close();
  return { unpacking: opened.unpacking, name: opened.name, protocol: loaded.protocol, bytes };
}

function refusal(options: Partial<OpenKernelOptions> = {}): UserError {
  try {
    open(options);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'expected a UserError' });
}

function assertLoaded({ bytes, protocol }: { bytes: Uint8Array; protocol: string }): void {
  assert.equal(protocol, 'pvh');
  assert.equal(Buffer.compare(bytes.subarray(KERNEL_GPA, KERNEL_GPA + code.length), code), 0);
  assert.ok(bytes.subarray(KERNEL_GPA + code.length, KERNEL_GPA + 500_000).every((byte) => byte === 0));
}

const entry = () => {
  const directory = join(cacheDirectory, 'vmlinux');
  return join(directory, readdirSync(directory)[0]!);
};
const records = () => readdirSync(join(cacheDirectory, 'files'));

test('a bzImage is unpacked, loaded by PVH, and found in the cache afterwards', async () => {
  await write(bzImage);
  for (const expected of ['now', 'cached', 'cached']) {
    const opened = open();
    assert.equal(opened.unpacking, expected);
    assert.equal(opened.name, kernel);
    assertLoaded(opened);
  }
});

test('the cached form leaves the zeros out', async () => {
  await write(bzImage);
  open();
  assert.ok(readFileSync(entry()).length < code.length - 80_000);
});

test('another file with the same contents shares the entry', async () => {
  await write(bzImage);
  open();
  kernel += '-copy';
  await write(bzImage);
  assert.equal(open().unpacking, 'cached');
  assert.equal(readdirSync(join(cacheDirectory, 'vmlinux')).length, 1);
  assert.equal(records().length, 2);
});

test('a kernel replaced under its name, same size, same mtime, is noticed', async () => {
  await write(bzImage);
  open();
  const other = Uint8Array.from(code);
  other[0]! ^= 1;
  const elf = buildElf({ segments: [{ gpa: KERNEL_GPA, bytes: other }], pvhEntryGpa: KERNEL_GPA });
  await write(bzImageOf(gzipSync(elf)));
  truncateSync(kernel, bzImage.length);
  utimesSync(kernel, 1, 1);
  assert.equal(open().bytes[KERNEL_GPA], other[0]);
});

test('an entry that was cut short, changed or emptied is built again', async () => {
  await write(bzImage);
  open();
  const good = readFileSync(entry());
  const changed = Uint8Array.from(good);
  changed[50_000]! ^= 0x40;
  for (const damage of [good.subarray(0, -1), changed, new Uint8Array(), new Uint8Array(good.length)]) {
    writeFileSync(entry(), damage);
    const opened = open();
    assert.equal(opened.unpacking, 'now');
    assertLoaded(opened);
    assert.deepEqual(readFileSync(entry()), good);
  }
});

test('an entry touched but not changed is verified and used', async () => {
  await write(bzImage);
  open();
  utimesSync(entry(), 5, 5);
  assert.equal(open().unpacking, 'cached');
});

test('a damaged record is only a miss', async () => {
  await write(bzImage);
  open();
  for (const text of ['', '{', '{"version":1,"kind":"kernel","sha256":"../x","vmlinux":"y"}', 'null']) {
    writeFileSync(join(cacheDirectory, 'files', records()[0]!), text);
    assertLoaded(open());
  }
});

test('a cache that cannot be written is done without', async () => {
  await write(bzImage);
  writeFileSync(cacheDirectory, 'a file where the directory should be');
  assertLoaded(open());
  assert.equal(open().unpacking, 'now');
});

test('no temporary file stays behind', async () => {
  await write(bzImage);
  open();
  const all = readdirSync(cacheDirectory, { recursive: true, encoding: 'utf8' });
  assert.deepEqual(
    all.filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('the cache keeps eight kernels', async () => {
  for (let i = 0; i < 10; i++) {
    const elf = buildElf({
      segments: [{ gpa: KERNEL_GPA, bytes: Uint8Array.of(0x90, i) }],
      pvhEntryGpa: KERNEL_GPA,
    });
    writeFileSync(kernel, bzImageOf(gzipSync(elf)));
    open();
  }
  assert.equal(readdirSync(join(cacheDirectory, 'vmlinux')).length, 8);
});

test('several processes may open the same kernel at once', async () => {
  await write(bzImage);
  mkdirSync(cacheDirectory);
  const module = new URL('open-kernel.ts', import.meta.url).href;
  const script = `import { openKernel } from ${JSON.stringify(module)};
    openKernel(${JSON.stringify(kernel)}, { cacheDirectory: ${JSON.stringify(cacheDirectory)} }).close();`;
  const run = () => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'inherit' });
    return new Promise((resolve) => child.on('exit', resolve));
  };
  assert.deepEqual(await Promise.all([run(), run(), run()]), [0, 0, 0]);
  const opened = open();
  assert.equal(opened.unpacking, 'cached');
  assertLoaded(opened);
});

test('protocols: linux64 leaves the bzImage packed, and enters a vmlinux by its 64-bit entry', async () => {
  await write(bzImage);
  assert.deepEqual(
    [open({ protocol: 'linux64' }).protocol, open({ protocol: 'linux64' }).unpacking],
    ['linux64', 'none'],
  );
  await write(vmlinux);
  assert.equal(open({ protocol: 'linux64' }).protocol, 'linux64');
  assert.equal(open({ protocol: 'pvh' }).protocol, 'pvh');
});

const withoutPvh = buildElf({ segments: [{ gpa: KERNEL_GPA, gva: 0xffff_ffff_8100_0000n, bytes: code }] });
const bzImagesWithoutPvh: [string, Uint8Array][] = [
  ['no PVH entry', gzipSync(withoutPvh)],
  ['a compression the host does not know', Buffer.from('\x89LZO and more'.padEnd(600), 'latin1')],
  ['contents that are no ELF', gzipSync(code)],
];
for (const [what, payload] of bzImagesWithoutPvh) {
  test(`a bzImage with ${what} is entered by its own 64-bit entry, unless PVH is asked for`, async () => {
    await write(bzImageOf(payload));
    for (let i = 0; i < 2; i++) assert.equal(open().protocol, 'linux64');
    assert.equal(refusal({ protocol: 'pvh' }).code, 'kernel-no-pvh');
  });
}

test('a bzImage with damaged contents is refused by name', async () => {
  const payload = gzipSync(vmlinux);
  payload.fill(0x55, 1000, 1100);
  await write(bzImageOf(payload));
  const error = refusal();
  assert.equal(error.code, 'kernel-damaged');
  assert.ok(error.message.includes(kernel));
});

test('a kernel that unpacks to more than its init_size is refused', async () => {
  await write(buildBzImage({ payload: gzipSync(new Uint8Array(9 * MIB)), initSizeBytes: 8 * MIB }));
  assert.equal(refusal().code, 'kernel-damaged');
});

test('a kernel that may not be read says so', {
  skip: process.getuid?.() === 0 && 'root reads everything',
}, async () => {
  await write(bzImage);
  chmodSync(kernel, 0);
  assert.equal(refusal().code, 'file-no-permission');
});
