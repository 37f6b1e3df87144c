/** One run of the lab: builds what is missing, starts the machine, passes the command's streams through. */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '@vireo/errors';
import { withTemporaryDirectory } from '@vireo/images';
import { type Control, openControl } from './control.ts';
import { cacheDisk, nodeModulesDisk, repositoryDisk } from './disks.ts';
import { Display } from './display.ts';
import { jobScript } from './job.ts';
import { type Disks, type Machine, startMachine } from './machine.ts';
import type { LabOptions } from './options.ts';
import { rootDisk } from './root-disk.ts';
import { type ForwardedOutput, forwardInput, forwardOutput, keepTail } from './streams.ts';
import { borrowTerminal, isTerminal } from './terminal.ts';

/** As timeout(1) and a shell have it. */
const STATUS_TIMED_OUT = 124;
const STATUS_SIGNAL = { SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;
/** Many times what a busy machine needs. */
const START_LIMIT_SECONDS = 180;
const CONSOLE_TAIL_LINES = 40;

export async function runLab(options: LabOptions, repository: string): Promise<number> {
  const display = new Display(options.verbose);
  const disks = await findDisks(options, repository, display);
  display.stage('disks built or found');
  return await withTemporaryDirectory(tmpdir(), 'vireo-lab', async (directory) => {
    const job = join(directory, 'job');
    writeFileSync(job, jobScript(options, repository, process.cwd(), isTerminal()));
    const machine = startMachine(options, { ...disks, others: [...disks.others, job] });
    const kill = () => machine.process.kill('SIGKILL');
    process.on('exit', kill);
    try {
      return await follow(machine, options, display);
    } finally {
      kill();
      process.off('exit', kill);
      process.stdin.destroy();
    }
  });
}

async function findDisks(options: LabOptions, repository: string, display: Display): Promise<Disks> {
  try {
    const root = await rootDisk(options.packages, display.progress);
    const nodeModules = await nodeModulesDisk(repository, display.progress);
    return {
      root,
      others: [nodeModules, await repositoryDisk(repository), await cacheDisk(display.progress)],
    };
  } finally {
    display.clearProgress();
  }
}

/** From power-on until the command's exit status, or until something else ends the run. */
async function follow(machine: Machine, options: LabOptions, display: Display): Promise<number> {
  const control = openControl(machine.control);
  const out = forwardOutput(machine.stdout, process.stdout);
  const err = forwardOutput(machine.stderr, process.stderr);
  const interrupted = new Interruptions();
  const abort = new AbortController();
  try {
    using _terminal = isTerminal() ? borrowTerminal(control, () => interrupted.end(0)) : undefined;
    forwardInput(process.stdin, machine.stdin);
    return await Promise.race([
      commandStatus(control, out, err, display),
      machineDeath(machine, display),
      timeLimit(control, options.timeoutSeconds, abort.signal),
      out.readerGone.then(() => STATUS_SIGNAL.SIGPIPE),
      interrupted.status,
    ]);
  } finally {
    abort.abort();
    interrupted[Symbol.dispose]();
  }
}

async function commandStatus(
  control: Control,
  out: ForwardedOutput,
  err: ForwardedOutput,
  display: Display,
): Promise<number> {
  control.started.then(() => display.stage('command started'));
  const { status, outBytes, errBytes } = await control.ended;
  // The status comes through a port of its own, so the last output may still be on its way.
  await Promise.all([out.received(outBytes), err.received(errBytes)]);
  display.stage('command ended');
  return status;
}

/** Rejects when QEMU ends by itself: it could not start, or the lab's kernel panicked. */
function machineDeath(machine: Machine, display: Display): Promise<never> {
  const complaints = keepTail(machine.complaints);
  const consoleText = keepTail(machine.console, display.console);
  return new Promise((_, reject) => {
    machine.process.on('error', reject);
    machine.process.on('close', () => {
      const tail = consoleText.text.replaceAll('\r', '').trim().split('\n').slice(-CONSOLE_TAIL_LINES);
      const said = complaints.text.trim();
      reject(
        new UserError(
          'lab-died',
          `The lab ended before the command did.${said ? ` QEMU says: ${said}` : ''}`,
          tail.length > 1 ? `Its console said last:\n${tail.join('\n')}` : 'See it start with --verbose.',
        ),
      );
    });
  });
}

async function timeLimit(control: Control, seconds: number, signal: AbortSignal): Promise<number> {
  const never = new Promise<never>(() => {});
  try {
    const start = sleep(START_LIMIT_SECONDS * 1000, 'late', { signal });
    if ((await Promise.race([control.started, start])) === 'late') {
      throw new UserError(
        'lab-slow',
        `The lab did not start within ${START_LIMIT_SECONDS} s.`,
        'See why with --verbose; fewer programs at the same time may be all that it takes.',
      );
    }
    if (seconds === 0) return await never;
    await sleep(seconds * 1000, undefined, { signal });
    process.stderr.write(`lab: the command's time, ${seconds} s, is up\n`);
    return STATUS_TIMED_OUT;
  } catch (error) {
    if (signal.aborted) return await never;
    throw error;
  }
}

/** Signals to the runner, and the user's wish to leave: each ends the run in an orderly way. */
class Interruptions implements Disposable {
  readonly status: Promise<number>;
  readonly end: (status: number) => void;
  readonly #listeners = new Map<NodeJS.Signals, () => void>();

  constructor() {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.status = promise;
    this.end = resolve;
    for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
      const listener = () => resolve(STATUS_SIGNAL[signal]);
      this.#listeners.set(signal, listener);
      process.on(signal, listener);
    }
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }
}
