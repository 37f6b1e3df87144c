/** `vireo run`: one VM in this process, its serial console on standard input and output. */
import { cacheDirectory } from '@vireo/images/xdg';
import type { VmConfig, VmOutcome } from '@vireo/vmm/config';
import type { VcpuThread } from '@vireo/vmm/vcpu/vcpu-thread';
import { printLine } from '../errors.ts';
import { conclude, type Ending } from './ending.ts';
import { findGuest, type GuestFiles } from './guest.ts';
import type { RunOptions } from './options.ts';
import { SerialConsole } from './serial-console.ts';
import { handleSignals } from './signals.ts';

/**
 * Kernel arguments of every guest; the user's come after them, so that theirs win. The console is the serial port; a
 * panicking kernel restarts at once, and the machine tells that from a reset.
 */
export const KERNEL_ARGUMENTS = 'console=ttyS0 panic=-1';

/** A VM that does not stop in this time is left to the end of the process. */
const STOP_TIMEOUT_MS = 3000;
/** How long a reader of standard output may take for what the guest wrote last. */
const FLUSH_TIMEOUT_MS = 2000;

/** What of a `VirtualMachine` a run needs. */
export interface RunningMachine {
  readonly outcome: Promise<VmOutcome>;
  pressPowerButton(): void;
  stop(): Promise<void>;
}
export type StartMachine = (config: VmConfig) => Promise<RunningMachine>;

/**
 * Runs a VM on the threads that were made for its vCPUs.
 * Returns the exit status. The process must then be ended: standard input may still be open.
 */
export async function runVirtualMachine(options: RunOptions, threads: VcpuThread[]): Promise<number> {
  try {
    return await run(options, async (config) => {
      const { VirtualMachine } = await import('@vireo/vmm');
      return await VirtualMachine.start(config, threads);
    });
  } finally {
    // What did not start must not load native code while the process ends.
    await Promise.all(threads.map((thread) => thread.discard()));
  }
}

/** The same, for any way to start a machine. */
export async function run(options: RunOptions, startMachine: StartMachine): Promise<number> {
  process.title = `vireo: ${options.name}`;
  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<Ending>();
  let starting: Promise<RunningMachine> | undefined;
  let machine: RunningMachine | undefined;
  const unhandle = handleSignals({ machine: () => machine, say: printLine, onEnding: end });
  let console: SerialConsole | undefined;
  const openConsole = () => {
    console = new SerialConsole(end);
    console.open();
    return console;
  };

  const runToOutcome = async () => {
    const guest = await findGuest(options);
    starting = startMachine(vmConfig(options, guest, openConsole));
    machine = await starting;
    if (console?.isInteractive) printHint(options.name);
    end({ kind: 'outcome', outcome: await machine.outcome });
  };
  runToOutcome().catch(fail);
  try {
    const ending = await ended;
    // A machine that is on its way, too: the process must not end while a thread of it loads native code.
    if (ending.kind !== 'outcome')
      await within(
        STOP_TIMEOUT_MS,
        starting?.then((it) => it.stop(), ignore),
      );
    await within(FLUSH_TIMEOUT_MS, console && flush(console));
    console?.close();
    return report(ending, options);
  } finally {
    console?.close();
    unhandle();
  }
}

function ignore(): void {}

function vmConfig(
  options: RunOptions,
  { kernel, initrd }: GuestFiles,
  openConsole: VmConfig['console'],
): VmConfig {
  const { name, accelerator, cpus, memoryBytes, noReboot, verbose } = options;
  return {
    name,
    accelerator,
    cpus,
    memoryBytes,
    noReboot,
    verbose,
    kernel,
    ...(initrd === undefined ? {} : { initrd }),
    commandLine: [KERNEL_ARGUMENTS, options.append].filter((it) => it !== '').join(' '),
    cacheDirectory: cacheDirectory(),
    console: openConsole,
    onNotice: printLine,
  };
}

/** Dim, and only for a person: what the guest prints comes next. */
function printHint(name: string): void {
  if (process.getBuiltinModule('node:tty').isatty(2))
    printLine(`${name} is running; Ctrl-] ends it.`, { dim: true });
}

function report(ending: Ending, { verbose }: RunOptions): number {
  const { exitStatus, line, details, hint } = conclude(ending);
  // The guest's prompt stands where the message would begin.
  if (ending.kind === 'left') process.stderr.write('\n');
  if (line !== undefined) printLine(verbose || hint === undefined ? line : `${line} ${hint}`);
  if (verbose && details !== undefined) process.stderr.write(`${details.trimEnd()}\n`);
  return exitStatus;
}

/** Resolves when everything the guest wrote has left this process. */
function flush({ output }: SerialConsole): Promise<void> {
  return new Promise((resolve) => {
    if (output.destroyed || output.errored) resolve();
    else output.write('', () => resolve());
  });
}

async function within(timeoutMs: number, work: Promise<void> | undefined): Promise<void> {
  const { promise: timedOut, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([work, timedOut]);
  clearTimeout(timer);
}
