/**
 * ptrace(2): a process that is stopped, given registers, run for one instruction or until something happens, and
 * stopped again. One thread must make all calls for one tracee: the kernel knows the tracer as a thread.
 *
 * The process is made with posix_spawn(3), not by node:child_process: libuv would learn of every stop by SIGCHLD.
 * Without a handler the kernel drops that signal, which saves microseconds a stop.
 */
import { check, HostError } from './host-error.ts';
import { errno, lazily, type Pointer } from './libc.ts';
import { Mapping } from './mapping.ts';
import { tgkill } from './signals.ts';

/** include/uapi/linux/ptrace.h */
const PTRACE_POKEDATA = 5;
const PTRACE_GETREGS = 12;
const PTRACE_SETREGS = 13;
const PTRACE_GETSIGINFO = 0x4202;
const PTRACE_GETREGSET = 0x4204;
const PTRACE_SETREGSET = 0x4205;
const PTRACE_SEIZE = 0x4206;
const PTRACE_INTERRUPT = 0x4207;
const PTRACE_O_TRACESYSGOOD = 0x1;
const PTRACE_O_EXITKILL = 0x100000;

/** How a tracee goes on. The emulated forms stop at a system call instead of making it: PTRACE_SYSEMU. */
const RESUME_REQUESTS = {
  step: 9,
  continue: 7,
  'step-without-calls': 32,
  'continue-without-calls': 31,
} as const;
export type ResumeMode = keyof typeof RESUME_REQUESTS;

/** include/uapi/linux/elf.h: x87, MMX and SSE as FXSAVE64 stores them. */
export const NT_PRFPREG = 2;
/** x87, MMX, SSE, AVX and so on, as XSAVE stores them in its standard form. */
export const NT_X86_XSTATE = 0x202;

/** The order of struct user_regs_struct (arch/x86/include/asm/user_64.h). */
const USER_REGISTER_NAMES = [
  ...(['r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'r11', 'r10', 'r9', 'r8', 'rax', 'rcx', 'rdx'] as const),
  ...(['rsi', 'rdi', 'origRax', 'rip', 'cs', 'rflags', 'rsp', 'ss', 'fsBase', 'gsBase'] as const),
  ...(['ds', 'es', 'fs', 'gs'] as const),
] as const;
export type UserRegister = (typeof USER_REGISTER_NAMES)[number];

export const USER_REGISTER_COUNT = USER_REGISTER_NAMES.length;

/** Where each register is in the array that `getRegisters` fills. */
export const USER_REGISTERS = Object.fromEntries(
  USER_REGISTER_NAMES.map((name, index) => [name, index]),
) as Readonly<Record<UserRegister, number>>;

/** Why a tracee is not running. */
export type TraceeStop =
  /** A signal is about to be delivered; it is not, since `resume` drops it. */
  | { readonly kind: 'signal'; readonly signal: number }
  /** At a system call that is not made (the emulated ways of resuming). */
  | { readonly kind: 'system-call' }
  /** PTRACE_EVENT_*: stopped by `interrupt`, by job control, and the like. */
  | { readonly kind: 'event'; readonly event: number }
  | { readonly kind: 'ended'; readonly status: number };

/** siginfo_t, as far as signals of the processor's exceptions use it (sigaction(2)). */
export interface SignalInfo {
  readonly signal: number;
  readonly code: number;
  /** What the processor could not access; 0 where the kernel does not say. */
  readonly address: bigint;
}

const SIGKILL = 9;
const SIGTRAP = 5;
const EINTR = 4;
const WALL = 0x4000_0000;
const SIGINFO_BYTES = 128;
const IOVEC_BYTES = 16;
/** More than the XSAVE area with AMX's tiles, which takes 11 KiB. */
const REGISTER_SET_BYTES = 32768 - IOVEC_BYTES;

const POSIX_SPAWN_SETSID = 0x80;
/** sizeof(posix_spawnattr_t) of glibc on x86-64. */
const SPAWN_ATTRIBUTES_BYTES = 336;

const ptraceCall = lazily<(request: number, pid: number, address: number, data: Pointer) => number>(
  'intptr_t ptrace(int, int, intptr_t, void *)',
);
const waitpidCall = lazily<(pid: number, status: Pointer, options: number) => number>(
  'int waitpid(int, void *, int)',
);
const posixSpawnCall = lazily<
  (
    pid: Pointer,
    path: string,
    actions: null,
    attributes: Pointer,
    argv: (string | null)[],
    env: null,
  ) => number
>('int posix_spawn(void *, const char *, void *, void *, const char **, void *)');
const spawnAttributesInit = lazily<(attributes: Pointer) => number>('int posix_spawnattr_init(void *)');
const spawnAttributesSetFlags = lazily<(attributes: Pointer, flags: number) => number>(
  'int posix_spawnattr_setflags(void *, short)',
);

/** A process that this thread traces. It dies with this thread, however that ends (PTRACE_O_EXITKILL). */
export class Tracee implements Disposable {
  readonly pid: number;
  readonly #status = new Int32Array(1);
  /** A struct iovec and what it points to. */
  readonly #registerSet = Mapping.map({ lengthBytes: IOVEC_BYTES + REGISTER_SET_BYTES });
  readonly #iovec = new BigUint64Array(this.#registerSet.buffer, 0, 2);
  readonly #signalInfo = new DataView(new ArrayBuffer(SIGINFO_BYTES));
  #ended = false;

  private constructor(pid: number) {
    this.pid = pid;
    this.#iovec[0] = BigInt(this.#registerSet.hva + IOVEC_BYTES);
  }

  /**
   * Starts a program, in a session of its own so that no terminal's signals reach it, and stops it somewhere in its
   * first milliseconds. It inherits open files; its environment is empty.
   */
  static spawn(path: string, args: readonly string[] = []): Tracee {
    const tracee = new Tracee(spawn(path, args));
    try {
      tracee.#request(PTRACE_SEIZE, 'PTRACE_SEIZE', 0, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
      tracee.#request(PTRACE_INTERRUPT, 'PTRACE_INTERRUPT');
      tracee.#wait();
    } catch (error) {
      tracee[Symbol.dispose]();
      throw error;
    }
    return tracee;
  }

  /** Fills an array of USER_REGISTER_COUNT registers. */
  getRegisters(registers: BigUint64Array): void {
    this.#request(PTRACE_GETREGS, 'PTRACE_GETREGS', 0, registers);
  }

  /**
   * Sets all general registers. The kernel takes CF, PF, AF, ZF, SF, TF, DF, OF, NT, RF and AC of RFLAGS and keeps the
   * others; selectors need RPL 3. An `origRax` other than -1 may make it restart a system call (and change RAX, RIP).
   */
  setRegisters(registers: BigUint64Array): void {
    this.#request(PTRACE_SETREGS, 'PTRACE_SETREGS', 0, registers);
  }

  /** A register set's first bytes, or as many as it has. The array changes with the next call about a register set. */
  getRegisterSet(type: number, lengthBytes = REGISTER_SET_BYTES): Uint8Array {
    this.#iovec[1] = BigInt(lengthBytes);
    this.#request(PTRACE_GETREGSET, 'PTRACE_GETREGSET', type, this.#registerSet.hva);
    return new Uint8Array(this.#registerSet.buffer, IOVEC_BYTES, Number(this.#iovec[1]));
  }

  setRegisterSet(type: number, bytes: Uint8Array): void {
    new Uint8Array(this.#registerSet.buffer, IOVEC_BYTES).set(bytes);
    this.#iovec[1] = BigInt(bytes.length);
    this.#request(PTRACE_SETREGSET, 'PTRACE_SETREGSET', type, this.#registerSet.hva);
  }

  /** About the signal of the last stop, which must have been one of kind `signal`. */
  getSignalInfo(): SignalInfo {
    const info = this.#signalInfo;
    this.#request(PTRACE_GETSIGINFO, 'PTRACE_GETSIGINFO', 0, info);
    return {
      signal: info.getInt32(0, true),
      code: info.getInt32(8, true),
      address: info.getBigUint64(16, true),
    };
  }

  /** Writes 8 bytes, into pages that the tracee itself may not write too. */
  poke(address: number, word: bigint): void {
    this.#request(PTRACE_POKEDATA, 'PTRACE_POKEDATA', address, word);
  }

  /** Lets it run, without the signal it was stopped for, and waits until it stops again or ends. */
  resume(mode: ResumeMode): TraceeStop {
    this.#request(RESUME_REQUESTS[mode], 'resume');
    return this.#wait();
  }

  /**
   * Has it make a system call, with the SYSCALL instruction (0F 05) that must stand at `instruction`. Its registers
   * are other ones afterwards. Returns what the kernel put into RAX: the result, or -errno.
   */
  systemCall(instruction: number, number: number, ...args: readonly number[]): number {
    const registers = new BigUint64Array(USER_REGISTER_COUNT);
    this.getRegisters(registers);
    const { rax, rdi, rsi, rdx, r10, r8, r9, origRax, rip, rflags } = USER_REGISTERS;
    [rdi, rsi, rdx, r10, r8, r9].forEach((index, position) => {
      registers[index] = BigInt(args[position] ?? 0);
    });
    registers[rax] = BigInt(number);
    registers[origRax] = BigInt.asUintN(64, -1n);
    registers[rip] = BigInt(instruction);
    registers[rflags] = 0n;
    this.setRegisters(registers);
    const stop = this.#stepOver();
    if (stop.kind === 'ended') throw new Error(`process ${this.pid} ended in system call ${number}`);
    this.getRegisters(registers);
    return Number(BigInt.asIntN(64, registers[rax]!));
  }

  /** Kills it and waits until it is gone. Doing it twice does nothing. */
  [Symbol.dispose](): void {
    if (!this.#ended) {
      tgkill(this.pid, SIGKILL, this.pid); // it was not waited for, so its id is nobody else's
      while (this.#wait().kind !== 'ended');
    }
    this.#registerSet.unmap();
  }

  /** One step; signals that come meanwhile are dropped and do not count as its end. */
  #stepOver(): TraceeStop {
    for (;;) {
      const stop = this.resume('step');
      if (stop.kind === 'ended' || (stop.kind === 'signal' && stop.signal === SIGTRAP)) return stop;
    }
  }

  #request(request: number, subject: string, address = 0, data: Pointer = null): void {
    if (ptraceCall(request, this.pid, address, data) === -1)
      throw new HostError('ptrace', errno(), { subject });
  }

  #wait(): TraceeStop {
    // A blocking wait: what is waited for takes microseconds, or is bounded by a timer of the tracee's.
    while (waitpidCall(this.pid, this.#status, WALL) === -1)
      if (errno() !== EINTR) throw new HostError('waitpid', errno(), { subject: `process ${this.pid}` });
    const stop = decodeWaitStatus(this.#status[0]!);
    this.#ended = stop.kind === 'ended';
    return stop;
  }
}

/** What waitpid(2) says of a tracee: ptrace(2) "Stopped states". */
export function decodeWaitStatus(status: number): TraceeStop {
  if ((status & 0xff) !== 0x7f) return { kind: 'ended', status };
  const event = status >> 16;
  if (event !== 0) return { kind: 'event', event };
  const signal = (status >> 8) & 0xff;
  return signal === (SIGTRAP | 0x80) ? { kind: 'system-call' } : { kind: 'signal', signal };
}

function spawn(path: string, args: readonly string[]): number {
  const attributes = new Uint8Array(SPAWN_ATTRIBUTES_BYTES);
  check(spawnAttributesInit(attributes), 'posix_spawnattr_init');
  check(spawnAttributesSetFlags(attributes, POSIX_SPAWN_SETSID), 'posix_spawnattr_setflags');
  const pid = new Int32Array(1);
  const error = posixSpawnCall(pid, path, null, attributes, [path, ...args, null], null); // leaves errno alone
  if (error !== 0) throw new HostError('posix_spawn', error, { subject: path });
  return pid[0]!;
}
