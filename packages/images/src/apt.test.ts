import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePrintedUris } from './apt.ts';

test('what apt-get --print-uris says becomes packages', () => {
  const output = [
    'Reading package lists...',
    'The following NEW packages will be installed:',
    "  libattr1 'quoted'",
    "'http://m.example/pool/main/a/attr/libattr1_2.5.1-4_amd64.deb' libattr1_1%3a2.5.1-4_amd64.deb 22164 MD5Sum:52fe",
    "'http://m.example/pool/g/gcc-12-base_12.2.0-14%2bdeb12u1_amd64.deb' gcc-12-base_12.2.0-14+deb12u1_amd64.deb 37596 ",
    '',
  ].join('\n');
  assert.deepEqual(parsePrintedUris(output), [
    { name: 'libattr1', version: '1:2.5.1-4', sizeBytes: 22164 },
    { name: 'gcc-12-base', version: '12.2.0-14+deb12u1', sizeBytes: 37596 },
  ]);
});

test('any output parses to packages with a name and a version', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.constant("'u' n_v_a.deb 1 x"))), (lines) => {
      for (const { name, version, sizeBytes } of parsePrintedUris(lines.join('\n'))) {
        assert.ok(name !== '' && version !== '' && Number.isInteger(sizeBytes));
      }
    }),
  );
});
