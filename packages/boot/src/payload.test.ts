import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { crc32, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { DecodeError } from './decode-error.ts';
import { decodeLz4Legacy } from './lz4.ts';
import { unpackPayload } from './payload.ts';
import { codeLikeBytes, withLength } from './synthetic-kernels.ts';
import { decodeXz } from './xz.ts';

const CODE = codeLikeBytes(40 << 10);
const LIMIT = 64 << 20;

/** Packed by the tools that the kernel's build calls, with its arguments. */
const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));

const payloads: [string, Uint8Array][] = [
  ['gzip', gzipSync(CODE)],
  ['zstd', withLength(zstdCompressSync(CODE), CODE.length)],
  ['xz with the x86 filter', withLength(fixture('code.xz'), CODE.length)],
  ['lz4, legacy frame', withLength(fixture('code.lz4'), CODE.length)],
  ['lzma', withLength(fixture('code.lzma'), CODE.length)],
];

function reasonOf(run: () => unknown): string {
  try {
    run();
    return 'none';
  } catch (error) {
    assert.ok(error instanceof DecodeError, String(error));
    return error.reason;
  }
}

for (const [name, payload] of payloads) {
  test(`${name}: unpacks to what was packed`, () => {
    assert.deepEqual(Buffer.from(unpackPayload(payload, LIMIT)), Buffer.from(CODE));
  });

  test(`${name}: a truncated payload is damaged, not an exception of another kind`, () => {
    for (const kept of [0.1, 0.5, 0.9, 0.99]) {
      const cut = payload.subarray(0, Math.floor(payload.length * kept));
      assert.notEqual(
        reasonOf(() => unpackPayload(withLength(cut, CODE.length), LIMIT)),
        'none',
      );
    }
  });

  test(`${name}: more than the limit is refused before anything is unpacked`, () => {
    assert.equal(
      reasonOf(() => unpackPayload(payload, CODE.length - 1)),
      'too-large',
    );
  });

  test(`${name}: data that unpack to more than announced stop there`, () => {
    const lying = withLength(payload.subarray(0, -4), 1000);
    assert.notEqual(
      reasonOf(() => unpackPayload(lying, LIMIT)),
      'none',
    );
  });

  test(`${name}: hostile bytes end in a DecodeError or a result within the limit`, () => {
    const patches = fc.array(fc.tuple(fc.nat(payload.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(patches, (changes) => {
        const bytes = Uint8Array.from(payload);
        for (const [at, value] of changes) bytes[at] = value;
        reasonOf(() => assert.ok(unpackPayload(bytes, 1 << 20).length <= 1 << 20));
      }),
      { numRuns: 150 },
    );
  });
}

test('what the host does not unpack is unsupported, so that the kernel does it', () => {
  for (const magic of ['BZh91AY', '\x89LZO', 'what']) {
    assert.equal(
      reasonOf(() => unpackPayload(Buffer.from(magic.padEnd(64), 'latin1'), LIMIT)),
      'unsupported',
    );
  }
});

test('a kernel that announces more than 512 MiB is refused whatever its header allows', () => {
  assert.equal(
    reasonOf(() => unpackPayload(withLength(fixture('code.xz'), 0xfffffff0), 2 ** 32)),
    'too-large',
  );
});

test('lz4: blocks follow one another, and concatenated frames, too', () => {
  const block = (text: string) => {
    const head = Buffer.alloc(5);
    head.writeUInt32LE(text.length + 1);
    head[4] = text.length << 4;
    return Buffer.concat([head, Buffer.from(text)]);
  };
  const magic = Buffer.from([0x02, 0x21, 0x4c, 0x18]);
  const frames = Buffer.concat([magic, block('one '), block('two '), magic, block('three')]);
  const output = new Uint8Array(64);
  const length = decodeLz4Legacy(frames, output);
  assert.equal(Buffer.from(output.subarray(0, length)).toString(), 'one two three');
});

test('lz4: a match before its block is damage, not a read of earlier blocks', () => {
  const frame = [0x02, 0x21, 0x4c, 0x18, 5, 0, 0, 0, 0x10, 0x41, 0x02, 0x00, 0x00];
  assert.equal(
    reasonOf(() => decodeLz4Legacy(Uint8Array.from(frame), new Uint8Array(64))),
    'damaged',
  );
});

test('xz: a flipped bit in the data fails the check', () => {
  const bytes = Uint8Array.from(fixture('code.xz'));
  bytes[bytes.length >> 1]! ^= 1;
  assert.equal(
    reasonOf(() => decodeXz(bytes, new Uint8Array(CODE.length))),
    'damaged',
  );
});

const hasXz = spawnSync('xz', ['--version']).status === 0;
const toolOptions = {
  skip: hasXz ? false : 'xz is missing: apt-get install xz-utils',
};

test(
  'xz: whatever the tool packs unpacks, over filters, properties, dictionaries and sizes',
  toolOptions,
  () => {
    const literalBits = fc.constantFrom([3, 0], [0, 0], [4, 0], [0, 4], [2, 2], [0, 2]);
    const settings = fc.record({
      bits: literalBits,
      pb: fc.nat(4),
      dict: fc.constantFrom('4KiB', '64KiB', '8MiB'),
      x86: fc.boolean(),
      check: fc.constantFrom('crc32', 'none'),
      lengthBytes: fc.constantFrom(0, 1, 5, 4096, 100_000),
      seed: fc.nat(),
      mode: fc.constantFrom('fast', 'normal'),
    });
    fc.assert(
      fc.property(settings, ({ bits, pb, dict, x86, check, lengthBytes, seed, mode }) => {
        const input = codeLikeBytes(lengthBytes, seed);
        const lzma2 = `--lzma2=preset=1,dict=${dict},lc=${bits[0]},lp=${bits[1]},pb=${pb},mode=${mode}`;
        const packed = xz(input, ['-c', `--check=${check}`, ...(x86 ? ['--x86'] : []), lzma2]);
        const output = new Uint8Array(lengthBytes);
        assert.equal(decodeXz(packed, output), lengthBytes);
        assert.equal(crc32(output), crc32(input));
      }),
      { numRuns: 12 },
    );
  },
);

test('xz: code of several LZMA2 chunks behind the x86 filter', toolOptions, () => {
  const input = codeLikeBytes(2_200_000, 3);
  const packed = xz(input, ['-c', '--check=crc32', '--x86', '--lzma2=preset=1']);
  const output = new Uint8Array(input.length);
  assert.equal(decodeXz(packed, output), input.length);
  assert.equal(crc32(output), crc32(input));
});

test('xz: several blocks, and bytes that do not pack', toolOptions, () => {
  const noise = new Uint8Array(200_000).map((_, i) => Math.imul(i * i + 7, 2654435761) >>> 24);
  const packed = xz(noise, ['-c', '--check=crc32', '--block-size=65536', '-1']);
  const output = new Uint8Array(noise.length);
  assert.equal(decodeXz(packed, output), noise.length);
  assert.deepEqual(output, noise);
});

test('xz: checks that the kernel does not know are unsupported', toolOptions, () => {
  const packed = xz(CODE, ['-c', '--check=sha256']);
  assert.equal(
    reasonOf(() => decodeXz(packed, new Uint8Array(CODE.length))),
    'unsupported',
  );
});

function xz(input: Uint8Array, args: readonly string[]): Uint8Array {
  return execFileSync('xz', args, { input, maxBuffer: 64 << 20 });
}
