/** One run of the lab: builds what is missing, starts the machine, passes the command's streams through. */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { UserError, withTemporaryDirectory } from '@vireo/images';
import { guestCacheDisk, nodeModulesDisk, repositoryDisk, rootDisk } from './disks.ts';
import { jobScript } from './job.ts';
import { type Machine, startMachine } from './machine.ts';
import type { LabOptions } from './options.ts';

const TIMED_OUT = 124;
const CONSOLE_TAIL_LINES = 40;

interface Outcome {
  readonly status: number;
  /** How many bytes the command wrote to standard output and error. */
  readonly outBytes: number;
  readonly errBytes: number;
}

export async function runLab(options: LabOptions, repository: string): Promise<number> {
  const timing = new Timing(options.verbose);
  const progress = progressLine();
  const root = await rootDisk(options.packages, progress.report);
  const nodeModules = await nodeModulesDisk(repository, progress.report);
  const repositoryImage = await repositoryDisk(repository);
  const cache = await guestCacheDisk();
  progress.clear();
  timing.stage('disks built or found');
  return await withTemporaryDirectory(tmpdir(), 'vireo-lab', async (directory) => {
    const job = join(directory, 'job');
    writeFileSync(job, jobScript(options, repository, process.cwd()));
    const machine = startMachine(options, { root, others: [nodeModules, repositoryImage, cache, job] });
    const kill = () => machine.process.kill('SIGKILL');
    process.on('exit', kill);
    try {
      return await followMachine(machine, options, timing);
    } finally {
      kill();
      process.off('exit', kill);
      process.stdin.destroy();
    }
  });
}

async function followMachine(machine: Machine, options: LabOptions, timing: Timing): Promise<number> {
  const complaints = collect(machine.complaints);
  const consoleText = collect(machine.console, (text) => timing.console(text));
  forwardInput(process.stdin, machine.stdin);
  const out = forwardOutput(machine.stdout, process.stdout);
  const err = forwardOutput(machine.stderr, process.stderr);
  const ended = new Promise<never>((_, reject) => {
    machine.process.on('error', reject);
    machine.process.on('close', () => reject(labDied(complaints.text, consoleText.text)));
  });
  let timer: NodeJS.Timeout | undefined;
  const timedOut = new Promise<Outcome>((resolve) => {
    if (options.timeoutSeconds === 0) return;
    timer = setTimeout(() => {
      process.stderr.write(`lab: the command's time, ${options.timeoutSeconds} s, is up\n`);
      resolve({ status: TIMED_OUT, outBytes: 0, errBytes: 0 });
    }, options.timeoutSeconds * 1000);
  });
  try {
    const outcome = await Promise.race([readOutcome(machine.control, timing), timedOut, ended]);
    await Promise.race([
      Promise.all([out.received(outcome.outBytes), err.received(outcome.errBytes)]),
      ended,
    ]);
    timing.stage('command ended');
    return outcome.status;
  } finally {
    clearTimeout(timer);
  }
}

/** The lab says `started`, then `exit STATUS OUT-BYTES ERR-BYTES`. */
function readOutcome(control: Readable, timing: Timing): Promise<Outcome> {
  return new Promise((resolve) => {
    let text = '';
    control.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (/^started$/m.test(chunk)) timing.stage('command started');
      const [, status, outBytes, errBytes] = /^exit (\d+) (\d+) (\d+)$/m.exec(text) ?? [];
      if (status !== undefined) {
        resolve({ status: Number(status), outBytes: Number(outBytes), errBytes: Number(errBytes) });
      }
    });
  });
}

function forwardInput(from: Readable, to: Writable): void {
  from.pipe(to);
  // The command may end, or close its input, before it has read everything.
  to.on('error', () => {});
}

interface Forwarded {
  /** Resolves when that many bytes have come and been written on. */
  received(bytes: number): Promise<void>;
}

function forwardOutput(from: Readable, to: Writable): Forwarded {
  let count = 0;
  let wake = () => {};
  from.on('data', (chunk: Buffer) => {
    from.pause();
    to.write(chunk, () => {
      count += chunk.length;
      from.resume();
      wake();
    });
  });
  return {
    async received(bytes) {
      while (count < bytes) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

function collect(stream: Readable, onText: (text: string) => void = () => {}): { readonly text: string } {
  const collected = { text: '' };
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    collected.text = (collected.text + chunk).slice(-65536);
    onText(chunk);
  });
  return collected;
}

function labDied(complaints: string, consoleText: string): UserError {
  const tail = consoleText.replaceAll('\r', '').trim().split('\n').slice(-CONSOLE_TAIL_LINES).join('\n');
  return new UserError(
    'lab-died',
    `the lab ended before the command did. ${complaints.trim()}`,
    `Its console said last:\n${tail}`,
  );
}

/** With --verbose, says how long each stage took and shows the console; both on standard error. */
class Timing {
  readonly #verbose: boolean;
  readonly #start = performance.now();

  constructor(verbose: boolean) {
    this.#verbose = verbose;
  }

  stage(name: string): void {
    if (!this.#verbose) return;
    const seconds = (performance.now() - this.#start) / 1000;
    process.stderr.write(`lab: ${seconds.toFixed(2)} s: ${name}\n`);
  }

  console(text: string): void {
    if (this.#verbose) process.stderr.write(text);
  }
}

/** One line on a terminal that is overwritten; nothing elsewhere. */
function progressLine() {
  let shown = false;
  const clear = () => {
    if (shown) process.stderr.write('\r\x1b[K');
    shown = false;
  };
  const report = (done: number, total: number, what: string) => {
    if (!process.stderr.isTTY) return;
    const percent = total > 0 ? ` ${Math.floor((100 * done) / total)} %` : '';
    process.stderr.write(`\r\x1b[Klab: ${what}${percent}`);
    shown = true;
  };
  return { report, clear };
}
