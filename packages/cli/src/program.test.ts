import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

const LAUNCHER = join(import.meta.dirname, '../bin/vireo');
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
  version: string;
};
const directory = mkdtempSync(join(tmpdir(), 'vireo-program-'));
after(() => rmSync(directory, { recursive: true }));

function vireo(args: readonly string[], { launcher = LAUNCHER, env = process.env, cwd = directory } = {}) {
  return spawnSync(launcher, args, { encoding: 'utf8', env, cwd, timeout: 30_000 });
}

describe('vireo', () => {
  test('--version', () => {
    const { stdout, stderr, status } = vireo(['--version']);
    assert.deepEqual({ stdout, stderr, status }, { stdout: `${version}\n`, stderr: '', status: 0 });
  });

  test('help names the commands', () => {
    const { stdout, status } = vireo(['--help']);
    assert.equal(status, 0);
    assert.match(stdout, /Usage: vireo.*\brun\b.*\bdoctor\b/s);
  });

  test('help for a command has its options and examples', () => {
    for (const args of [
      ['run', '--help'],
      ['help', 'run'],
    ]) {
      const { stdout, status } = vireo(args);
      assert.equal(status, 0);
      assert.match(stdout, /--memory <SIZE>.*Exit status: 0.*Examples:/s);
    }
    assert.match(vireo(['doctor', '--help']).stdout, /--format <FORMAT>.*Examples:/s);
  });

  test('no command: help, as a mistake', () => {
    const { stdout, stderr, status } = vireo([]);
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /Usage: vireo/);
  });
});

describe('a mistake is one line that says what to do, and status 2', () => {
  const mistakes: readonly (readonly [string[], RegExp])[] = [
    [['rnu'], /^vireo: unknown command 'rnu'\. Did you mean run\?\n$/],
    [['run', '--cpu', '2'], /^vireo: unknown option --cpu\. Did you mean --cpus\?\n$/],
    [['run', '--cpus'], /^vireo: --cpus needs a value\.\n$/],
    [['run', 'image'], /^vireo: run takes options only, not image\.\n$/],
    [['run', '--cpus', '65'], /^vireo: --cpus 65 is not possible\. Use a number from 1 to 64\.\n$/],
    [['run', '--memory', '512'], /^vireo: --memory 512 is not a size\. Write it like 512M or 2G\.\n$/],
    [['run', '--kernel', 'none'], /^vireo: none does not exist\. Check the path\.\n$/],
    [['run', '--kernel', '.'], /^vireo: \. is a directory, not a file\. Name a file\.\n$/],
    [['run', '--kernel', '/dev/null'], /^vireo: \/dev\/null is a device, not a file\. Name a file\.\n$/],
    [
      ['run', '--kernel', '/etc/passwd'],
      /^vireo: \/etc\/passwd is a text file, not a kernel\. Name a bzImage.*\n$/,
    ],
    [['run', '--initrd', 'none'], /^vireo: none does not exist\. Check the path\.\n$/],
    [
      ['run', '--memory', '100T', '--kernel', 'none'],
      /^vireo: 104857600 MiB .* more than this host has .*\n$/,
    ],
    [['run', '--accel', 'tcg'], /^vireo: --accel tcg is not known\. Use auto, kvm or wasm\.\n$/],
    [['run', '--name', '../x'], /^vireo: --name \.\.\/x cannot name a VM\. Use up to 63 letters.*\n$/],
    [
      ['run', '--accel', 'wasm', '--memory', '4G'],
      /^vireo: Vireo's own engine has room for at most 3072 MiB of guest memory, not 4096 MiB\. .*\n$/,
    ],
    [['doctor', '--format', 'xml'], /^vireo: --format 'xml' is not known\. Choose from text, json\.\n$/],
  ];
  for (const [args, message] of mistakes)
    test(`vireo ${args.join(' ')}`, () => {
      const { stdout, stderr, status } = vireo(args);
      assert.match(stderr, message);
      assert.deepEqual({ stdout, status }, { stdout: '', status: 2 });
    });
});

describe('the launcher', () => {
  const shell: NodeJS.ProcessEnv = { ...process.env, PATH: '/usr/bin:/bin' };

  test('finds itself through chains of links, relative and absolute, and through a linked directory', () => {
    const links = join(directory, 'links');
    mkdirSync(links);
    symlinkSync(LAUNCHER, join(links, 'absolute'));
    symlinkSync('absolute', join(links, 'relative'));
    symlinkSync('../links/relative', join(links, 'chain'));
    symlinkSync(join(LAUNCHER, '../..'), join(links, 'package'));
    for (const name of ['absolute', 'relative', 'chain', 'package/bin/vireo'])
      assert.equal(vireo(['--version'], { launcher: join(links, name) }).stdout, `${version}\n`, name);
    assert.equal(vireo(['--version'], { launcher: './chain', cwd: links }).stdout, `${version}\n`);
  });

  test('works with an older Node first on the PATH, and with none', () => {
    const bin = join(directory, 'old');
    mkdirSync(bin);
    writeFileSync(join(bin, 'node'), '#!/bin/sh\necho 20\n', { mode: 0o755 });
    for (const PATH of [`${bin}:/usr/bin:/bin`, '/usr/bin:/bin', ''])
      assert.equal(vireo(['--version'], { env: { ...process.env, PATH } }).stdout, `${version}\n`);
  });

  test('works in a directory with blanks, without a home, and as another name', () => {
    const odd = join(directory, 'odd name');
    mkdirSync(odd);
    symlinkSync(LAUNCHER, join(odd, 'a vm'));
    const env = { ...shell };
    delete env['HOME'];
    delete env['XDG_CACHE_HOME'];
    assert.equal(vireo(['--version'], { launcher: join(odd, 'a vm'), env, cwd: '/' }).stdout, `${version}\n`);
  });

  test('without the pinned Node it takes one from the PATH that is new enough, or says what is wrong', () => {
    const copy = join(directory, 'copy');
    for (const name of ['bin', 'src', 'path']) mkdirSync(join(copy, name), { recursive: true });
    writeFileSync(join(copy, 'bin/vireo'), readFileSync(LAUNCHER), { mode: 0o755 });
    writeFileSync(join(copy, 'src/start.ts'), 'console.log(process.argv.length, process.argv[2]);');
    const fake = (script: string) => writeFileSync(join(copy, 'path/node'), script, { mode: 0o755 });
    const run = () =>
      vireo(['two words'], {
        launcher: join(copy, 'bin/vireo'),
        env: { ...shell, PATH: `${copy}/path:/usr/bin:/bin` },
      });

    fake(`#!/bin/sh\nexec '${process.execPath}' "$@"\n`);
    assert.equal(run().stdout, '3 two words\n');
    fake('#!/bin/sh\necho 20\n');
    const { stderr, status } = run();
    assert.match(
      stderr,
      /^vireo: Node 24 or newer is needed, and the node on the PATH is version 20\. Run npm ci.*\n$/,
    );
    assert.equal(status, 1);
  });
});
