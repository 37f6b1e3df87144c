/**
 * `vireo run` with a guest that a test scripts: it greets, echoes what it is sent, and does what some words say. What
 * is tested is the console, the signals and the ways out; the machine has tests of its own.
 */
import type { VmConfig, VmOutcome } from '@vireo/vmm/config';
import { toRunOptions } from '../run/options.ts';
import { type RunningMachine, run } from '../run/run.ts';
import { runToExit } from '../run-to-exit.ts';

type Act = (end: (outcome: VmOutcome) => void, config: VmConfig) => void;

const failure = { vcpu: 2, message: 'it ran into a wall', registers: 'RAX=0000000000000001\n' };

const WORDS: Readonly<Record<string, Act>> = {
  'power-off': (end) => end({ kind: 'power-off' }),
  reset: (end) => end({ kind: 'reset' }),
  panic: (end) => end({ kind: 'panic', message: 'Attempted to kill init!' }),
  'triple-fault': (end) => end({ kind: 'triple-fault', ...failure }),
  'debug-exit': (end) => end({ kind: 'debug-exit', value: 3 }),
  throw: () => {
    setTimeout(() => {
      throw new RangeError('thrown in a timer');
    });
  },
  reject: () => void Promise.reject(new RangeError('nobody waits for this')),
  exit: () => process.exit(7),
  'write-much-and-go-on': () => {
    process.stdout.write(Buffer.alloc(1 << 20, 'x'));
  },
  'write-much': (end) => {
    process.stdout.write(Buffer.alloc(1 << 20, 'x'), () => {});
    end({ kind: 'power-off' });
  },
};

async function start(config: VmConfig): Promise<RunningMachine> {
  if (config.commandLine.includes('refuse')) throw new RangeError('refused to start');
  if (config.commandLine.includes('slow')) {
    process.stdout.write('unpacking\r\n');
    await new Promise(() => setInterval(() => {}, 1000));
  }
  const { promise: outcome, resolve: end } = Promise.withResolvers<VmOutcome>();
  const { input, output } = config.console();
  output.write(`guest up, ${config.commandLine}\r\n`);
  setInterval(() => {}, 1000); // vCPU threads keep a process alive
  let line = '';
  input.on('data', (chunk: Buffer) => {
    output.write(`[${JSON.stringify(chunk.toString('latin1'))}]\r\n`);
    line = (line + chunk.toString('latin1')).replaceAll('\r', '\n');
    const words = line.split('\n');
    line = words.pop()!;
    for (const word of words) WORDS[word]?.(end, config);
  });
  const stubborn = config.commandLine.includes('stubborn');
  return {
    outcome,
    pressPowerButton() {
      output.write('power button\r\n');
      if (!stubborn) setTimeout(() => end({ kind: 'power-off' }), 50);
    },
    async stop() {
      output.write('stopped\r\n');
    },
  };
}

const [append = '', ...switches] = process.argv.slice(2);
const kernel = process.execPath; // any file that exists
await runToExit(() =>
  run(toRunOptions({ kernel, append, name: 'fake', verbose: switches.includes('verbose') }), start),
);
