/** The lab on a terminal: script(1), from the lab's own packages, plays the terminal. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { noProgress } from '@vireo/images';
import { shellQuote } from './job.ts';
import { loaderCommand } from './machine.ts';
import { rootDisk } from './root-disk.ts';

const { tree } = await rootDisk([], noProgress);

test('on a terminal the command has one too: its size, Ctrl-C, its status', {
  timeout: 180_000,
}, async (context) => {
  const lab = [process.execPath, join(import.meta.dirname, 'lab.ts'), 'bash', '--norc'].map(shellQuote);
  const [program = '', ...args] = loaderCommand(tree, 'usr/bin/script');
  const child = spawn(
    program,
    [...args, '-qefc', `stty rows 33 cols 111; exec ${lab.join(' ')}`, '/dev/null'],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, SHELL: '/bin/sh', PS1: '' },
    },
  );
  context.after(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk.replaceAll('\r', '');
  });
  const closed = once(child, 'close');
  const until = async (pattern: RegExp) => {
    while (!pattern.test(text)) {
      await Promise.race([once(child.stdout, 'data'), closed.then(() => assert.fail(`it ended: ${text}`))]);
    }
  };
  await until(/bash-5\.2# $/);
  child.stdin.write('tty; stty size\n');
  await until(/\/dev\/pts\/0\n33 111\n/);
  child.stdin.write("sh -c 'echo ready; sleep 1000'\n");
  await until(/\nready\n/);
  child.stdin.write('\x03');
  await until(/\^C/);
  child.stdin.write('echo status $?; exit 9\n');
  await until(/status 130/);
  await closed;
  assert.equal(child.exitCode, 9, text);
});
