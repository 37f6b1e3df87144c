/** The lab on a terminal: script(1), from the lab's own packages, plays the terminal. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { noProgress } from '@vireo/images';
import { shellQuote } from './job.ts';
import { loaderCommand } from './machine.ts';
import { rootDisk } from './root-disk.ts';

/** Far more than a step takes on a busy machine. */
const STEP_MS = 60_000;

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
    const late = sleep(STEP_MS, 'late', { ref: false });
    const ended = closed.then(() => 'ended');
    while (!pattern.test(text)) {
      const event = await Promise.race([once(child.stdout, 'data'), ended, late]);
      if (typeof event === 'string') assert.fail(`${event}, without ${pattern}: ${text}`);
    }
  };
  await until(/bash-5\.2# $/);
  child.stdin.write('tty; stty size\n');
  await until(/\/dev\/pts\/0\n33 111\n/);
  // When tail has shown the file, it and nothing else is in the foreground.
  child.stdin.write('tail -f /etc/passwd\n');
  await until(/nobody:/);
  child.stdin.write('\x03');
  await until(/\^C/);
  child.stdin.write('echo status $?; exit 9\n');
  await until(/status 130/);
  await closed;
  assert.equal(child.exitCode, 9, text);
});
