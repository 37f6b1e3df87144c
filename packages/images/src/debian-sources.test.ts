import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { debianSources, parseDeb822, parseOneLine } from './debian-sources.ts';

const DEFAULTS = [
  { uri: 'http://deb.debian.org/debian', suites: ['bookworm', 'bookworm-updates'] },
  { uri: 'http://deb.debian.org/debian-security', suites: ['bookworm-security'] },
];

function sourcesOf(files: Readonly<Record<string, string>>) {
  const directory = mkdtempSync(join(tmpdir(), 'vireo-test-'));
  try {
    mkdirSync(join(directory, 'sources.list.d'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    return debianSources(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('one-line entries: options, comments, source packages', () => {
  const text = [
    '# deb http://commented.example/debian bookworm main',
    'deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main contrib',
    '  deb\thttp://b.example/debian  bookworm-updates main # why',
    'deb-src http://c.example/debian bookworm main',
  ].join('\n');
  assert.deepEqual(parseOneLine(text), [
    { uri: 'http://a.example/debian', suites: ['bookworm'] },
    { uri: 'http://b.example/debian', suites: ['bookworm-updates'] },
  ]);
});

test('deb822 stanzas: several values, continued lines, comments, disabled entries', () => {
  const text = [
    'Types: deb deb-src',
    '# a comment inside',
    'URIs: http://a.example/debian',
    '  http://b.example/debian',
    'suites: bookworm bookworm-updates',
    '',
    'Types: deb',
    'URIs: http://off.example/debian',
    'Suites: bookworm',
    'Enabled: no',
    '',
    'Types: deb-src',
    'URIs: http://source.example/debian',
    'Suites: bookworm',
  ].join('\n');
  const suites = ['bookworm', 'bookworm-updates'];
  assert.deepEqual(parseDeb822(text), [
    { uri: 'http://a.example/debian', suites },
    { uri: 'http://b.example/debian', suites },
  ]);
});

test("the host's mirrors are taken, third-party sources are not", () => {
  const sources = sourcesOf({
    'sources.list': 'deb http://mirror.example/pub/debian/ bookworm main\n',
    'sources.list.d/other.list': 'deb https://third.example/node_20.x nodistro main\n',
    'sources.list.d/security.sources':
      'Types: deb\nURIs: https://mirror.example/debian-security\nSuites: bookworm-security\n',
    'sources.list.d/old.list.disabled': 'deb http://never.example/debian bookworm main\n',
  });
  assert.deepEqual(
    sources.map(({ uri }) => uri),
    ['http://mirror.example/pub/debian/', 'https://mirror.example/debian-security'],
  );
});

test("Debian's own addresses where the host is no Debian", () => {
  assert.deepEqual(sourcesOf({}), DEFAULTS);
  assert.deepEqual(sourcesOf({ 'sources.list': 'deb http://archive.example/ubuntu jammy main\n' }), DEFAULTS);
  assert.deepEqual(sourcesOf({ 'sources.list': 'deb cdrom:[Debian]/debian bookworm main\n' }), DEFAULTS);
  assert.deepEqual(debianSources('/nonexistent'), DEFAULTS);
});

test('any text parses to entries of one word each', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom('Types: deb', 'URIs: http://x', 'Suites: s', '', 'deb [a] u s'),
  );
  const text = fc.array(line, { maxLength: 30 }).map((lines) => lines.join('\n'));
  fc.assert(
    fc.property(text, (input) => {
      for (const { uri, suites } of [...parseOneLine(input), ...parseDeb822(input)]) {
        for (const word of [uri, ...suites]) assert.match(word, /^\S+$/);
      }
    }),
  );
});
