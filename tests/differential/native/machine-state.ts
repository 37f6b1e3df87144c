/** The state of the processor before and after a case, and how ptrace(2) has it. */
import { NT_PRFPREG, NT_X86_XSTATE, type Tracee, USER_REGISTER_COUNT, USER_REGISTERS } from '@vireo/linux';
import type { FpuUse } from './opcode.ts';

export interface MachineState {
  /** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15, as instructions number them. See isStartable for RSP. */
  readonly registers: BigUint64Array;
  readonly rip: bigint;
  /** RFLAGS_FIXED, and any of RFLAGS_SETTABLE. RF is not in results: faults set it in what the kernel saves. */
  readonly rflags: bigint;
  /** Default: 0. Not in results. */
  readonly fsBase?: bigint;
  readonly gsBase?: bigint;
  /** x87, MMX and SSE as FXSAVE64 stores them (512 bytes). Default: INITIAL_FXSAVE. In results if asked for. */
  readonly fxsave?: Uint8Array;
}

export type CodeMode = 32 | 64;

/** What code sees if it reads segment registers: those of the kernel's user segments, all with RPL 3. */
export const SELECTORS: Readonly<Record<CodeMode, { cs: number; ss: number; dsEs: number; fsGs: number }>> = {
  64: { cs: 0x33, ss: 0x2b, dsEs: 0, fsGs: 0 },
  32: { cs: 0x23, ss: 0x2b, dsEs: 0x2b, fsGs: 0 },
};

export const RFLAGS_TF = 1n << 8n;
const RFLAGS_RF = 1n << 16n;
export const RFLAGS_ID = 1n << 21n;

/**
 * CF, PF, AF, ZF, SF, TF, DF, OF, AC, ID. The others are as RFLAGS_FIXED has them before a case: IF and bit 1 are set,
 * IOPL is 0. NT could be set, too, but is lost on the way to user mode in some VMs.
 */
export const RFLAGS_SETTABLE = 0x24_0dd5n;
export const RFLAGS_FIXED = 0x202n;

export const FXSAVE_BYTES = 512;
/** From here on FXSAVE leaves the area to software, and Linux has a use for it. */
export const FXSAVE_SOFTWARE = 464;
/** Where the XSAVE header has XSTATE_BV (Intel SDM Vol. 1 §13.4.2 "XSAVE Header"). */
const XSTATE_BV = 512;
const X87_AND_SSE = 3;

/** FNINIT, and MXCSR after reset: FCW 037F, MXCSR 1F80, all else zero. */
export const INITIAL_FXSAVE: Uint8Array = initialFxsave();

function initialFxsave(): Uint8Array {
  const area = new DataView(new ArrayBuffer(FXSAVE_BYTES));
  area.setUint16(0, 0x037f, true);
  area.setUint32(24, 0x1f80, true);
  return new Uint8Array(area.buffer);
}

const RSP = 4;

/**
 * Whether code can be run from this state. RSP must be canonical (48 bits), because some VMs fault on the way to user
 * mode if it is not; code may make it what it likes.
 */
export function isStartable({ registers, rflags }: MachineState): boolean {
  const rsp = registers[RSP]!;
  return (rflags & ~RFLAGS_SETTABLE) === RFLAGS_FIXED && BigInt.asUintN(64, BigInt.asIntN(48, rsp)) === rsp;
}

/** struct user_regs_struct's positions of our 16 registers. */
const REGISTER_POSITIONS = (
  [
    ...(['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'] as const),
    ...(['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const),
  ] as const
).map((name) => USER_REGISTERS[name]);

/** Moves general registers to a tracee and back, through one array that stays. */
export class GeneralRegisters {
  readonly #tracee: Tracee;
  readonly #values = new BigUint64Array(USER_REGISTER_COUNT);

  constructor(tracee: Tracee) {
    this.#tracee = tracee;
  }

  set(state: MachineState, mode: CodeMode): void {
    if (!isStartable(state))
      throw new RangeError(
        `code cannot be started with RFLAGS 0x${state.rflags.toString(16)}, RSP 0x${state.registers[RSP]!.toString(16)}`,
      );
    const values = this.#values;
    const selectors = SELECTORS[mode];
    for (let number = 0; number < 16; number++)
      values[REGISTER_POSITIONS[number]!] = state.registers[number]!;
    values[USER_REGISTERS.origRax] = 0xffff_ffff_ffff_ffffn; // no system call to restart
    values[USER_REGISTERS.rip] = state.rip;
    values[USER_REGISTERS.rflags] = state.rflags;
    values[USER_REGISTERS.cs] = BigInt(selectors.cs);
    values[USER_REGISTERS.ss] = BigInt(selectors.ss);
    values[USER_REGISTERS.ds] = values[USER_REGISTERS.es] = BigInt(selectors.dsEs);
    values[USER_REGISTERS.fs] = values[USER_REGISTERS.gs] = BigInt(selectors.fsGs);
    values[USER_REGISTERS.fsBase] = state.fsBase ?? 0n;
    values[USER_REGISTERS.gsBase] = state.gsBase ?? 0n;
    this.#tracee.setRegisters(values);
  }

  get(mode: CodeMode): { registers: BigUint64Array; rip: bigint; rflags: bigint } {
    const values = this.#values;
    this.#tracee.getRegisters(values);
    const mask = mode === 32 ? 0xffff_ffffn : 0xffff_ffff_ffff_ffffn;
    const registers = new BigUint64Array(16);
    for (let number = 0; number < 16; number++)
      registers[number] = values[REGISTER_POSITIONS[number]!]! & mask;
    return {
      registers,
      rip: values[USER_REGISTERS.rip]!,
      rflags: values[USER_REGISTERS.rflags]! & ~RFLAGS_RF,
    };
  }
}

/**
 * Moves x87, MMX and SSE state. Without an area in a case all of it is initial, and so is what it does not cover (AVX
 * and so on), whatever the cases before did. It is left alone before code that uses nothing, unless something like
 * WRPKRU may have changed what all code depends on.
 */
export class FpuState {
  readonly #tracee: Tracee;
  readonly #area: Uint8Array;
  /** What of it may not be in its initial state. */
  #changed: FpuUse = 'extended';

  constructor(tracee: Tracee) {
    this.#tracee = tracee;
    this.#area = new Uint8Array(tracee.getRegisterSet(NT_X86_XSTATE).length);
    this.#area[XSTATE_BV] = X87_AND_SSE;
  }

  load(fxsave: Uint8Array | undefined, use: FpuUse): void {
    if (fxsave) this.#set(fxsave, this.#changed === 'extended');
    else if (use !== 'none' && this.#changed !== 'none')
      this.#set(INITIAL_FXSAVE, this.#changed === 'extended');
    if (use === 'extended') this.#changed = 'extended';
    else if (fxsave || use === 'legacy') this.#changed = 'legacy';
  }

  get(): Uint8Array {
    return this.#tracee.getRegisterSet(NT_PRFPREG, FXSAVE_BYTES).slice().fill(0, FXSAVE_SOFTWARE);
  }

  /**
   * The whole area puts what it does not hold into its initial state, but Linux allocates and frees kernel memory for
   * it, and flushes TLBs: 15 µs, and 60 more for the next step in a VM, where the legacy area takes 3.
   */
  #set(fxsave: Uint8Array, whole: boolean): void {
    if (fxsave.length !== FXSAVE_BYTES) throw new RangeError(`FXSAVE has 512 bytes, not ${fxsave.length}`);
    this.#area.set(fxsave.subarray(0, FXSAVE_SOFTWARE));
    if (whole) this.#tracee.setRegisterSet(NT_X86_XSTATE, this.#area);
    else this.#tracee.setRegisterSet(NT_PRFPREG, this.#area.subarray(0, FXSAVE_BYTES));
    this.#changed = 'none';
  }
}
