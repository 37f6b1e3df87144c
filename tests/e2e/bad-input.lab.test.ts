/** What a user may ask wrongly, as far as it shows only where KVM is: one line, status 1 or 2, nothing left behind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type DefaultGuest, defaultGuest } from '@vireo/images';
import { VIREO } from './guest-session.ts';
import { LeftBehind } from './left-behind.ts';

const directory = mkdtempSync(join(tmpdir(), 'vireo-bad-input-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, bytes: Uint8Array | string): string {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
}

describe('one line that says what, and what to do', () => {
  let guest: DefaultGuest;
  let kernel: Buffer;
  let initrd: Buffer;
  before(async () => {
    guest = await defaultGuest();
    kernel = readFileSync(guest.kernel);
    initrd = readFileSync(guest.initrd);
  });

  const refused = (args: string[], says: RegExp) => {
    const left = new LeftBehind();
    const { stdout, stderr, status } = spawnSync(VIREO, ['run', ...args], {
      encoding: 'utf8',
      input: '',
      timeout: 120_000,
    });
    left.check();
    assert.match(stderr, /^vireo: [^\n]+\n$/, `one line and not ${JSON.stringify(stderr)}`);
    assert.match(stderr, says);
    assert.doesNotMatch(stderr, /bug in Vireo/);
    assert.match(stderr, /\. [A-Z][^.]*.*\.\n$/, 'what to do');
    assert.equal(stdout, '');
    assert.ok(status === 1 || status === 2, `status ${status}`);
  };

  test('a kernel that is none', () => {
    refused(['--kernel', file('text', 'hello\n'.repeat(1000))], /not a kernel/);
    refused(['--kernel', file('zeros', new Uint8Array(1 << 20))], /not a kernel/);
    refused(['--kernel', file('empty', '')], /is empty/);
    refused(['--kernel', process.execPath], /kernel/);
  });

  test('a kernel that is cut or damaged', () => {
    refused(['--kernel', file('cut', kernel.subarray(0, kernel.length / 2))], /cut|truncated/);
    const damaged = Buffer.from(kernel);
    damaged.fill(0xaa, damaged.length / 2, damaged.length / 2 + 4096);
    refused(['--kernel', file('damaged', damaged)], /cut|damaged|cannot be unpacked/);
  });

  test('an initrd that is cut, or none', () => {
    refused(
      ['--initrd', file('cut-initrd', initrd.subarray(0, initrd.length / 2))],
      /initrd .*(cut|truncated|ends)/,
    );
    refused(['--initrd', file('text-initrd', 'hello\n'.repeat(1000))], /initrd/);
  });

  test('too little memory for the kernel', () => {
    refused(['--memory', '16M'], /need.* \d+ MiB of memory/);
  });

  test('more memory and more vCPUs than the host allows', () => {
    refused(['--memory', '10T'], /more than this host has/);
    refused(['--cpus', '65'], /Use a number from 1 to 64/);
  });

  test('a command line that is too long', () => {
    refused(['--append', 'x'.repeat(5000)], /command line has \d+ bytes, this kernel takes \d+/);
  });
});
