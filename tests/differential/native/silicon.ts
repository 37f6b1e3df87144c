/**
 * Runs instructions on the host's own processor, as the reference for the engine: a child process is stopped, given
 * registers and memory, run for one instruction and read out (ptrace(2)). Nothing that tested code does reaches the
 * tester: faults are stops of the child, system calls are stopped at and not made, and a timer of the child's ends
 * loops.
 *
 * What differs from the bare processor, because a kernel is below:
 *
 * - Exceptions show as signals: #PF, #GP, #BR, #OF `segv`; #SS, #NP, #AC `bus`; #UD `ill`; #DE, #MF, #XM `fpe`; #BP and
 *   #DB `trap`. `code` is the kernel's (sigaction(2)): SEGV_MAPERR 1 and SEGV_ACCERR 2 are page faults and have an
 *   address; 128 (SI_KERNEL) is a general-protection fault and the like, which have none.
 * - SGDT, SIDT, SLDT, STR and SMSW may be emulated by the kernel (UMIP), CPUID and RDTSC by a hypervisor.
 * - SYSENTER and INT 80h are system calls, too, where the kernel has 32-bit ones.
 * - One instruction that starts with TF set ends without a fault: its debug exception is the one that ends the step.
 */
import type { SignalInfo, Tracee, TraceeStop } from '@vireo/linux';
import { type AddressSpace, LAYOUT, type Layout } from './address-space.ts';
import type { NativeCase, NativeFault, NativeResult } from './case.ts';
import {
  type CodeMode,
  FpuState,
  GeneralRegisters,
  type MachineState,
  RFLAGS_FIXED,
  RFLAGS_ID,
  RFLAGS_TF,
} from './machine-state.ts';
import { type FpuUse, fpuUse, fpuUseOfBlock, loadsFlags, mayTrap, needsBreakpoint } from './opcode.ts';
import { FAULT_SIGNALS, runToStop, SI_KERNEL, SIGSEGV, SIGTRAP, TRAP_TRACE } from './stops.ts';
import {
  endTracedProcess,
  SiliconUnavailable,
  startTracedProcess,
  type TracedProcess,
} from './traced-process.ts';
import { Volley, volleyLength } from './volley.ts';

const NOP = Uint8Array.of(0x90);
/** POPFQ sets ID, which ptrace(2) does not. */
const POPFQ = Uint8Array.of(0x9d);

export type { NativeCase, NativeFault, NativeResult } from './case.ts';
export { SiliconUnavailable } from './traced-process.ts';

/** One traced process, for the thread that opened it. */
export class Silicon implements Disposable {
  readonly layout: Layout = LAYOUT;
  readonly #process: TracedProcess;
  readonly #tracee: Tracee;
  readonly #space: AddressSpace;
  readonly #registers: GeneralRegisters;
  readonly #fpu: FpuState;
  readonly #volley: Volley;
  #idFlag = 0n;

  private constructor(process: TracedProcess) {
    this.#process = process;
    this.#tracee = process.tracee;
    this.#space = process.space;
    this.#registers = new GeneralRegisters(process.tracee);
    this.#fpu = new FpuState(process.tracee);
    this.#volley = new Volley(process, this.#registers, this.#fpu);
  }

  /** The process that runs the code. It ends with this thread, at the latest. */
  get pid(): number {
    return this.#tracee.pid;
  }

  /** @throws SiliconUnavailable */
  static open(): Silicon {
    return new Silicon(startTracedProcess());
  }

  /** Why `open` would be refused here, in one sentence; undefined if it would not. */
  static unavailable(): string | undefined {
    try {
      Silicon.open()[Symbol.dispose]();
      return undefined;
    } catch (error) {
      if (error instanceof SiliconUnavailable) return error.message;
      throw error;
    }
  }

  /** Whether there are such code segments: some VMs have none for 32-bit code. */
  supports(mode: CodeMode): boolean {
    const state = { registers: new BigUint64Array(16), rip: BigInt(LAYOUT.codeGva), rflags: RFLAGS_FIXED };
    return this.run({ code: NOP, state, mode }).fault === undefined;
  }

  run(testCase: NativeCase): NativeResult {
    const { state, memory = [], readBack = [], wantsFxsave = false } = testCase;
    const plan = planOf(testCase);
    this.#setIdFlag(state.rflags & RFLAGS_ID);
    this.#space.load(state.rip, testCase.code);
    for (const { address, bytes } of memory) this.#space.write(address, bytes);
    this.#fpu.load(state.fxsave, plan.fpuUse);
    this.#registers.set(state, plan.mode);
    const stop = runToStop(this.#tracee, plan.toBreakpoint ? 'continue' : 'step');
    const { fault, ...after } = this.#outcome(stop, plan);
    this.#idFlag = after.rflags & RFLAGS_ID;
    return {
      state: wantsFxsave ? { ...after, fxsave: this.#fpu.get() } : after,
      ...(fault && { fault }),
      memory: readBack.map(({ address, lengthBytes }) => this.#space.read(address, lengthBytes)),
    };
  }

  /**
   * The same results as `run` for each, and many times as fast where many cases in a row differ in registers and in
   * the contents of memory only (see volley.ts).
   */
  runAll(cases: readonly NativeCase[]): NativeResult[] {
    const results: NativeResult[] = [];
    while (results.length < cases.length) {
      const end = results.length + volleyLength(cases, results.length);
      // A volley needs to know how long the instruction is: a case that ends without a fault tells.
      let isLengthRight = false;
      while (results.length < end && !isLengthRight) {
        const first = cases[results.length]!;
        const result = this.run(first);
        isLengthRight = !result.fault && result.state.rip === first.state.rip + BigInt(first.code.length);
        results.push(result);
      }
      const rest = cases.slice(results.length, end);
      if (rest.length > 0) results.push(...this.#runVolley(rest));
    }
    return results;
  }

  #runVolley(cases: readonly NativeCase[]): NativeResult[] {
    const { results, rflags } = this.#volley.run(cases);
    this.#idFlag = rflags & RFLAGS_ID;
    return results.map((result, index) => result ?? this.run(cases[index]!));
  }

  /** Ends the process. Doing it twice does nothing. */
  [Symbol.dispose](): void {
    endTracedProcess(this.#process);
  }

  #outcome(stop: TraceeStop, plan: Plan): MachineState & { fault?: NativeFault } {
    const state = this.#registers.get(plan.mode);
    if (stop.kind !== 'signal') return { ...state, fault: { kind: 'system-call', address: 0n, code: 0 } };
    const kind = FAULT_SIGNALS[stop.signal];
    if (kind === undefined) return { ...state, fault: { kind: 'endless', address: 0n, code: 0 } };
    // To ask costs a system call: only if INT3 and its like could be what it was.
    const isStep = stop.signal === SIGTRAP && !plan.toBreakpoint && !plan.mayTrap;
    const info = isStep ? undefined : this.#tracee.getSignalInfo();
    if (info === undefined || (!plan.toBreakpoint && info.code === TRAP_TRACE && kind === 'trap'))
      return plan.loadsFlags ? state : withTrapFlag(state, plan.trapFlag);
    if (plan.toBreakpoint && isAtEnd(info, state.rip, plan.end)) return { ...state, rip: plan.end };
    return { ...withTrapFlag(state, plan.trapFlag), fault: { kind, address: info.address, code: info.code } };
  }

  #setIdFlag(idFlag: bigint): void {
    if (this.#idFlag === idFlag) return;
    this.#space.load(BigInt(LAYOUT.codeGva), POPFQ);
    this.#space.write(LAYOUT.dataGva, new Uint8Array(BigUint64Array.of(idFlag).buffer));
    const registers = new BigUint64Array(16);
    registers[4] = BigInt(LAYOUT.dataGva);
    this.#registers.set({ registers, rip: BigInt(LAYOUT.codeGva), rflags: RFLAGS_FIXED }, 64);
    runToStop(this.#tracee, 'step');
    this.#idFlag = idFlag;
  }
}

/** How a case is to be run, by what its code may do. */
interface Plan {
  readonly mode: CodeMode;
  /** Else one step. */
  readonly toBreakpoint: boolean;
  /** Where the breakpoint is. */
  readonly end: bigint;
  readonly mayTrap: boolean;
  readonly loadsFlags: boolean;
  readonly trapFlag: bigint;
  readonly fpuUse: FpuUse;
}

function planOf({ code, state, mode = 64, extent, wantsFxsave = false }: NativeCase): Plan {
  const isBlock = extent === 'block';
  const use = isBlock ? fpuUseOfBlock(code) : fpuUse(code, mode);
  return {
    mode,
    toBreakpoint: isBlock || needsBreakpoint(code, mode),
    end: state.rip + BigInt(code.length),
    mayTrap: mayTrap(code, mode),
    loadsFlags: isBlock || loadsFlags(code, mode),
    trapFlag: state.rflags & RFLAGS_TF,
    fpuUse: wantsFxsave && use === 'none' ? 'legacy' : use,
  };
}

/** The kernel, which steps by means of TF, confuses the code's TF with its own once POPF has set it. */
function withTrapFlag<S extends { rflags: bigint }>(state: S, trapFlag: bigint): S {
  return { ...state, rflags: (state.rflags & ~RFLAGS_TF) | trapFlag };
}

/** The breakpoint was met, or would have been, had the page not ended. */
function isAtEnd({ signal, code, address }: SignalInfo, rip: bigint, end: bigint): boolean {
  if (signal === SIGTRAP) return code === SI_KERNEL && rip === end + 1n;
  const pageEnd = BigInt(LAYOUT.codeGva + LAYOUT.codeLengthBytes);
  return signal === SIGSEGV && rip === end && address === end && end === pageEnd;
}
