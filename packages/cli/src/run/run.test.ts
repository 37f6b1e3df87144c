import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Exit, TerminalProcess, TestProcess } from '../testing/test-process.ts';

const FAKE = join(import.meta.dirname, '../testing/fake-run.ts');
const command = (...args: string[]): [string, ...string[]] => [process.execPath, FAKE, ...args];

describe('on a terminal', () => {
  const start = async (...args: string[]) => {
    const run = new TerminalProcess(command(...args));
    await run.waitFor(/guest up/);
    await run.waitUntilRaw(true);
    return run;
  };

  test('every key goes to the guest as it is, Ctrl-C, Ctrl-Z and Ctrl-\\ too', async () => {
    await using run = await start();
    run.type('a\r\x03\x1a\x1c\x11\x13');
    await run.waitFor(/\["a\\r\\u0003\\u001a\\u001c\\u0011\\u0013"\]/);
  });

  test('the user is told how to leave, and Ctrl-] leaves', async () => {
    await using run = await start();
    await run.waitFor(/vireo: fake is running; Ctrl-\] ends it/);
    run.type('last words\x1dnever seen');
    assert.deepEqual(await run.exit, { status: 0, signal: null });
    assert.match(run.output, /\["last words"\].*stopped.*ended the VM \(Ctrl-\]\)/s);
    assert.doesNotMatch(run.output, /never seen/);
    assert.equal(run.isRaw(), false);
  });

  const waysOut: readonly [string, (run: TerminalProcess) => void, Exit, RegExp][] = [
    ['power-off', (it) => it.type('power-off\r'), { status: 0, signal: null }, /guest up/],
    ['a reset that ends', (it) => it.type('reset\r'), { status: 0, signal: null }, /guest up/],
    [
      'a panic',
      (it) => it.type('panic\r'),
      { status: 1, signal: null },
      /vireo: the guest's kernel panicked/,
    ],
    [
      'a triple fault',
      (it) => it.type('triple-fault\r'),
      { status: 1, signal: null },
      /vireo: vCPU 2 stopped/,
    ],
    ['debug exit', (it) => it.type('debug-exit\r'), { status: 7, signal: null }, /guest up/],
    [
      'an exception',
      (it) => it.type('throw\r'),
      { status: 1, signal: null },
      /a bug in Vireo: thrown in a timer/,
    ],
    ['a rejection', (it) => it.type('reject\r'), { status: 1, signal: null }, /a bug in Vireo: nobody waits/],
    ['process.exit', (it) => it.type('exit\r'), { status: 7, signal: null }, /guest up/],
    ['SIGTERM', (it) => it.signal('SIGTERM'), { status: 0, signal: null }, /power button/],
    ['SIGINT', (it) => it.signal('SIGINT'), { status: 0, signal: null }, /power button/],
    [
      'SIGQUIT',
      (it) => it.signal('SIGQUIT'),
      { status: 1, signal: null },
      /ended the VM at once \(SIGQUIT\)/,
    ],
    ['SIGHUP', (it) => it.signal('SIGHUP'), { status: 1, signal: null }, /its terminal went away/],
  ];
  for (const [name, leave, exit, says] of waysOut)
    test(`is as it was after ${name}`, async () => {
      await using run = await start();
      leave(run);
      assert.deepEqual(await run.exit, exit);
      assert.equal(run.isRaw(), false);
      await run.waitFor(says);
      assert.doesNotMatch(run.output, /^\s+at /m, 'no stack trace');
    });

  test('one that takes no output stops neither the guest nor the signals that end it', async () => {
    await using run = await start();
    run.pauseReading();
    run.type('write-much-and-go-on\r');
    await run.waitFor(/./s);
    run.signal('SIGTERM');
    assert.deepEqual(await run.exit, { status: 0, signal: null });
    assert.equal(run.isRaw(), false);
  });

  test('is as it was when the machine does not start', async () => {
    await using run = new TerminalProcess(command('refuse'));
    assert.equal((await run.exit).status, 1);
    await run.waitFor(
      /a bug in Vireo: refused to start \(at packages\/cli\/src\/testing\/fake-run\.ts:\d+:\d+\)/,
    );
    assert.equal(run.isRaw(), false);
  });

  test('a second signal ends a guest that does not heed its power button', async () => {
    await using run = await start('stubborn');
    run.signal('SIGTERM');
    await run.waitFor(/vireo: pressed the power button; a second signal ends the VM at once\.\r\n/);
    run.signal('SIGTERM');
    assert.equal((await run.exit).status, 1);
    await run.waitFor(/vireo: ended the VM at once \(SIGTERM\)/);
    assert.equal(run.isRaw(), false);
  });

  test('one that goes away ends the VM', async () => {
    await using run = await start();
    run.hangUp();
    assert.equal((await run.exit).status, 1);
  });

  test('SIGTSTP stops the VM with the terminal as it was, SIGCONT goes on raw', async () => {
    await using run = await start();
    run.signal('SIGTSTP');
    await run.waitForState('T');
    assert.equal(run.isRaw(), false);
    run.signal('SIGCONT');
    await run.waitUntilRaw(true);
    run.type('back');
    await run.waitFor(/\["back"\]/);
    run.type('\x1d');
    assert.equal((await run.exit).status, 0);
    assert.equal(run.isRaw(), false);
  });

  test('after a stop that could not be caught, what is put back is what was there at the start', async () => {
    await using run = await start();
    run.signal('SIGSTOP');
    await run.waitForState('T');
    run.signal('SIGCONT');
    run.type('\x1d');
    assert.equal((await run.exit).status, 0);
    assert.equal(run.isRaw(), false);
  });

  test('in the background it leaves the terminal to the shell, and takes it when moved to the foreground', async () => {
    const script = `set -m; "$@" & echo "job $!"; read line; echo "shell read $line"; fg >/dev/null; echo "left $?"`;
    await using shell = new TerminalProcess(['/bin/sh', '-c', script, 'sh', ...command()]);
    await shell.waitFor(/job \d+/);
    await shell.waitFor(/guest up/);
    assert.equal(shell.isRaw(), false);
    shell.type('hello\r');
    await shell.waitFor(/shell read hello/);
    await shell.waitUntilRaw(true);
    shell.type('to the guest');
    await shell.waitFor(/\["to the guest"\]/);
    shell.type('\x1d');
    await shell.waitFor(/left 0/);
    assert.equal(shell.isRaw(), false);
  });
});

describe('on pipes and files', () => {
  const start = async (...args: string[]) => {
    const run = new TestProcess(command(...args), ['pipe', 'pipe', 'pipe']);
    await run.waitFor(/guest up/);
    return run;
  };
  const send = (run: TestProcess, text: string) => run.child.stdin!.write(text, 'latin1');

  test("Vireo's kernel arguments come first, the user's win by coming last", async () => {
    const run = await start('quiet init=/bin/sh');
    await run.waitFor(/guest up, console=ttyS0 .*quiet init=\/bin\/sh\r\n/);
    await run.end();
  });

  test('the end of standard input is nothing to the guest, and Ctrl-] is a byte like any other', async () => {
    const run = await start();
    run.child.stdin!.end('\x1dhello\r');
    await run.waitFor(/\["\\u001dhello\\r"\]/);
    run.signal('SIGTERM');
    assert.deepEqual(await run.exit, { status: 0, signal: null });
    assert.match(run.output, /power button/);
    assert.equal(run.errors, 'vireo: pressed the power button; a second signal ends the VM at once.\n');
  });

  test('a file types, and another takes the output', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'vireo-run-'));
    writeFileSync(join(directory, 'in'), 'first\npower-off\n');
    const files = [openSync(join(directory, 'in'), 'r'), openSync(join(directory, 'out'), 'w')];
    const run = new TestProcess(command(), [...files, 'pipe']);
    files.forEach(closeSync);
    assert.equal((await run.exit).status, 0);
    const output = readFileSync(join(directory, 'out'), 'latin1');
    assert.match(output, /guest up.*\r\n\["first\\npower-off\\n"\]\r\n/s);
    rmSync(directory, { recursive: true });
  });

  test('a reader that goes away ends the VM, without a word', async () => {
    const run = await start();
    run.child.stdout!.destroy();
    send(run, 'more\r');
    assert.deepEqual(await run.exit, { status: 0, signal: null });
    assert.equal(run.errors, '');
  });

  test('an output that cannot be written is the host refusing, in one line', async () => {
    const full = openSync('/dev/full', 'w');
    const run = new TestProcess(command(), ['pipe', full, 'pipe']);
    closeSync(full);
    assert.equal((await run.exit).status, 1);
    assert.match(
      run.errors,
      /^vireo: the guest's console cannot be written: .*no space left on device.*\n$/i,
    );
  });

  test('what the guest wrote last arrives, however slowly it is read', async () => {
    const run = await start();
    run.child.stdout!.pause();
    send(run, 'write-much\r');
    await new Promise((resolve) => setTimeout(resolve, 300));
    run.child.stdout!.resume();
    await run.exit;
    await run.waitFor(/x{1048576}$/);
  });

  test('Ctrl-C presses the power button, a second one ends the VM at once', async () => {
    const run = await start('stubborn');
    run.signal('SIGINT');
    await run.waitFor(/pressed the power button/);
    run.signal('SIGINT');
    assert.equal((await run.exit).status, 1);
    assert.match(run.errors, /\nvireo: ended the VM at once \(SIGINT\); [^\n]*\n$/);
  });

  test('a signal before the VM runs', async () => {
    const run = new TestProcess(command('slow'), ['pipe', 'pipe', 'pipe']);
    await run.waitFor(/unpacking/);
    run.signal('SIGTERM');
    assert.equal((await run.exit).status, 1);
    assert.equal(run.errors, 'vireo: stopped before the VM ran (SIGTERM).\n');
  });

  test('under nohup it outlives its terminal', async () => {
    const run = new TestProcess(['nohup', ...command()], ['pipe', 'pipe', 'pipe']);
    await run.waitFor(/guest up/);
    run.signal('SIGHUP');
    send(run, 'power-off\r');
    assert.deepEqual(await run.exit, { status: 0, signal: null });
  });

  test('registers are for those who ask', async () => {
    const quiet = await start();
    send(quiet, 'triple-fault\r');
    await quiet.exit;
    assert.equal(quiet.errors, 'vireo: vCPU 2 stopped: it ran into a wall. --verbose shows its registers.\n');
    const verbose = await start('', 'verbose');
    send(verbose, 'triple-fault\r');
    await verbose.exit;
    assert.equal(verbose.errors, 'vireo: vCPU 2 stopped: it ran into a wall.\nRAX=0000000000000001\n');
  });

  test('ps shows the name', async () => {
    const run = await start();
    const shown = spawnSync('ps', ['-o', 'args=', '-p', `${run.pid}`], { encoding: 'utf8' });
    assert.equal(shown.stdout.trim(), 'vireo: fake');
    assert.match(readFileSync(`/proc/${run.pid}/cmdline`, 'latin1'), /^vireo: fake\0*$/);
    await run.end();
  });
});
