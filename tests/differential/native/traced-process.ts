/** The process that tested code runs in: stopped for good but for the moments when a case runs. */
import { HostError, Tracee, USER_REGISTER_COUNT, USER_REGISTERS } from '@vireo/linux';
import { AddressSpace, LAYOUT } from './address-space.ts';

/** Why instructions cannot be run natively here, in one sentence. */
export class SiliconUnavailable extends Error {
  override readonly name = 'SiliconUnavailable';
}

/** It only has to exist: it is stopped in its first milliseconds. */
const PROGRAM = '/bin/sleep';
const PROGRAM_ARGUMENTS = ['10'];

const SYSCALL_INSTRUCTION = 0x050fn;
const SYS_SETITIMER = 38;
/** Counts the process's own time in user mode, then sends SIGVTALRM, again and again. */
const ITIMER_VIRTUAL = 1;
const TIMER_MICROSECONDS = 200_000n;

export interface TracedProcess {
  readonly tracee: Tracee;
  readonly space: AddressSpace;
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
    throw new SiliconUnavailable(`The host does not let one process trace another: ${error.message}.`);
  }
}

function start(): TracedProcess {
  const space = new AddressSpace();
  let tracee: Tracee | undefined;
  try {
    tracee = Tracee.spawn(PROGRAM, PROGRAM_ARGUMENTS);
    const instruction = writeSyscallInstruction(tracee);
    space.mapInto(tracee, instruction);
    startTimer(tracee, space, instruction);
    return { tracee, space };
  } catch (error) {
    tracee?.[Symbol.dispose]();
    space[Symbol.dispose]();
    throw error;
  }
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
