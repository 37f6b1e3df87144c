/** The process that tested code runs in: stopped for good but for the moments when a case runs. */
import { HostError, NT_X86_XSTATE, Tracee, USER_REGISTER_COUNT, USER_REGISTERS } from '@vireo/linux';
import { AddressSpace, LAYOUT } from './address-space.ts';
import type { SharedMemory } from './shared-memory.ts';
import { volleyMemory } from './volley-code.ts';

/** Why instructions cannot be run natively here, in one sentence. */
export class SiliconUnavailable extends Error {
  override readonly name = 'SiliconUnavailable';
}

/** It only has to exist: it is stopped in its first milliseconds. */
const PROGRAM = '/bin/sleep';
const PROGRAM_ARGUMENTS = ['10'];

const SYSCALL_INSTRUCTION = 0x050fn;
const SYS_CLOSE_RANGE = 436;
const SYS_SETITIMER = 38;
/** Counts the process's own time in user mode, then sends SIGVTALRM, again and again. */
const ITIMER_VIRTUAL = 1;
const TIMER_MICROSECONDS = 200_000n;

export interface TracedProcess {
  readonly tracee: Tracee;
  readonly space: AddressSpace;
  readonly volleyMemory: SharedMemory;
}

/** @throws SiliconUnavailable */
export function startTracedProcess(): TracedProcess {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new SiliconUnavailable(
      `The processor is ${process.arch} under ${process.platform}, not x86-64 under Linux.`,
    );
  try {
    return start();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new SiliconUnavailable(
      `The host does not let one process run another step by step: ${error.message}.`,
    );
  }
}

function start(): TracedProcess {
  using resources = new DisposableStack();
  const space = resources.use(new AddressSpace());
  const volley = resources.use(volleyMemory());
  const tracee = resources.use(Tracee.spawn(PROGRAM, PROGRAM_ARGUMENTS));
  const instruction = writeSyscallInstruction(tracee);
  space.mapInto(tracee, instruction);
  volley.mapInto(tracee, instruction);
  // Kernels before 5.9 have no close_range, and the open files do no harm.
  tracee.systemCall(instruction, SYS_CLOSE_RANGE, 0, 0xffff_ffff, 0);
  startTimer(tracee, space, instruction);
  tracee.getRegisterSet(NT_X86_XSTATE); // refused where there is no XSAVE
  resources.move();
  return { tracee, space, volleyMemory: volley };
}

/** Doing it twice does nothing. */
export function endTracedProcess({ tracee, space, volleyMemory }: TracedProcess): void {
  tracee[Symbol.dispose]();
  space[Symbol.dispose]();
  volleyMemory[Symbol.dispose]();
}

/** Over the program's own code, wherever it was stopped: it never goes on. */
function writeSyscallInstruction(tracee: Tracee): number {
  const registers = new BigUint64Array(USER_REGISTER_COUNT);
  tracee.getRegisters(registers);
  const instruction = Number(registers[USER_REGISTERS.rip]);
  tracee.poke(instruction, SYSCALL_INSTRUCTION);
  return instruction;
}

/** So that waiting for code that never ends is bounded. */
function startTimer(tracee: Tracee, space: AddressSpace, instruction: number): void {
  const timeval = [0n, TIMER_MICROSECONDS];
  space.write(LAYOUT.dataGva, new Uint8Array(BigUint64Array.of(...timeval, ...timeval).buffer)); // struct itimerval
  const result = tracee.systemCall(instruction, SYS_SETITIMER, ITIMER_VIRTUAL, LAYOUT.dataGva, 0);
  if (result !== 0) throw new HostError('setitimer', -result, { subject: 'in the traced process' });
}
