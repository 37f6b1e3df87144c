/**
 * A volley: one instruction with many machine states, all in one run of the traced process. A step costs tens of
 * microseconds, most of them for changing from process to process; in a volley only faults cost that.
 */
import type { SignalInfo, Tracee, TraceeStop } from '@vireo/linux';
import { type AddressSpace, LAYOUT } from './address-space.ts';
import type { NativeCase, NativeResult } from './case.ts';
import {
  type FpuState,
  FXSAVE_BYTES,
  FXSAVE_SOFTWARE,
  type GeneralRegisters,
  INITIAL_FXSAVE,
  isStartable,
  type MachineState,
  RFLAGS_FIXED,
  RFLAGS_TF,
} from './machine-state.ts';
import { fpuUse, loadsFlags, mayBranch, mayTrap } from './opcode.ts';
import type { SharedMemory } from './shared-memory.ts';
import { FAULT_SIGNALS, runToStop, SIGTRAP } from './stops.ts';
import type { TracedProcess } from './traced-process.ts';
import {
  assembleVolley,
  INDIRECT_JUMP_BYTES,
  indirectJump,
  MAX_MEMORY_BYTES,
  MAX_RECORDS,
  type MemoryRange,
  RECORD,
  RECORDS_GVA,
  STACK_TOP_GVA,
  VARIABLES,
  VOLLEY_CODE_BYTES,
  VOLLEY_GVA,
  type VolleyCode,
} from './volley-code.ts';

/** In the code page: where the instruction's successor finds the way back. */
const RETURN_POINTER = LAYOUT.codeGva + LAYOUT.codeLengthBytes - 8;
const DATA: MemoryRange = { address: LAYOUT.dataGva, lengthBytes: LAYOUT.dataLengthBytes };
const BORDER: MemoryRange = { address: LAYOUT.borderGva, lengthBytes: LAYOUT.borderLengthBytes };

/** How many cases, from this one on, a volley can hold. At least 1, which may be one that no volley can hold. */
export function volleyLength(cases: readonly NativeCase[], start: number): number {
  const first = cases[start]!;
  if (!canBeVolley(first)) return 1;
  let end = start + 1;
  while (end < cases.length && end - start < MAX_RECORDS && isLike(first, cases[end]!)) end++;
  return end - start;
}

function canBeVolley({
  code,
  state,
  mode = 64,
  extent = 'instruction',
  memory = [],
  readBack = [],
}: NativeCase): boolean {
  return (
    mode === 64 &&
    extent === 'instruction' &&
    Number(state.rip) + code.length + INDIRECT_JUMP_BYTES <= RETURN_POINTER &&
    !mayTrap(code, mode) &&
    !mayBranch(code, mode) &&
    !loadsFlags(code, mode) &&
    fpuUse(code, mode) !== 'extended' &&
    isHoldable(state) &&
    memory.length <= 1 &&
    memory.every(({ address, bytes }) => isSmallData({ address, lengthBytes: bytes.length })) &&
    readBack.length <= 1 &&
    readBack.every(isSmallData)
  );
}

/** Without TF, which the loop could not bear. */
function isHoldable(state: MachineState): boolean {
  return isStartable(state) && (state.rflags & RFLAGS_TF) === 0n;
}

function isSmallData({ address, lengthBytes }: MemoryRange): boolean {
  const start = address - DATA.address;
  return lengthBytes <= MAX_MEMORY_BYTES && start >= 0 && start + lengthBytes <= DATA.lengthBytes;
}

function isLike(a: NativeCase, b: NativeCase): boolean {
  return (
    (b.mode ?? 64) === 64 &&
    (b.extent ?? 'instruction') === 'instruction' &&
    isHoldable(b.state) &&
    a.state.rip === b.state.rip &&
    (a.state.fsBase ?? 0n) === (b.state.fsBase ?? 0n) &&
    (a.state.gsBase ?? 0n) === (b.state.gsBase ?? 0n) &&
    (a.code === b.code ||
      (a.code.length === b.code.length && a.code.every((byte, at) => byte === b.code[at]))) &&
    (a.memory?.length ?? 0) === (b.memory?.length ?? 0) &&
    a.memory?.[0]?.address === b.memory?.[0]?.address &&
    a.memory?.[0]?.bytes.length === b.memory?.[0]?.bytes.length &&
    (a.readBack?.length ?? 0) === (b.readBack?.length ?? 0) &&
    a.readBack?.[0]?.address === b.readBack?.[0]?.address &&
    a.readBack?.[0]?.lengthBytes === b.readBack?.[0]?.lengthBytes
  );
}

export interface VolleyResults {
  /** Undefined where something happened that needs a closer look: such a case is to be run by itself. */
  readonly results: (NativeResult | undefined)[];
  /** What the process was left with. */
  readonly rflags: bigint;
}

export class Volley {
  readonly #tracee: Tracee;
  readonly #space: AddressSpace;
  readonly #memory: SharedMemory;
  readonly #registers: GeneralRegisters;
  readonly #fpu: FpuState;
  readonly #bytes: Uint8Array;
  readonly #words: BigUint64Array;

  constructor(process: TracedProcess, registers: GeneralRegisters, fpu: FpuState) {
    this.#tracee = process.tracee;
    this.#space = process.space;
    this.#memory = process.volleyMemory;
    this.#registers = registers;
    this.#fpu = fpu;
    this.#bytes = this.#memory.view(RECORDS_GVA, MAX_RECORDS * RECORD.bytes);
    this.#words = new BigUint64Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length / 8);
  }

  /** Cases that `volleyLength` counted as one volley, of which one has shown that the code is one whole instruction. */
  run(cases: readonly NativeCase[]): VolleyResults {
    const first = cases[0]!;
    const usesFxsave =
      fpuUse(first.code, 64) !== 'none' ||
      cases.some(({ state, wantsFxsave }) => state.fxsave || wantsFxsave);
    const code = this.#prepare(first, cases.length, usesFxsave);
    cases.forEach((testCase, index) => {
      this.#writeRecord(testCase, index, usesFxsave);
    });
    const faulted = this.#execute(cases, code);
    const { rflags } = this.#registers.get(64);
    return {
      results: cases.map((each, index) =>
        faulted.has(index) ? faulted.get(index) : this.#readRecord(each, index),
      ),
      rflags,
    };
  }

  #prepare(first: NativeCase, count: number, usesFxsave: boolean): VolleyCode {
    const { code, state, memory = [], readBack = [] } = first;
    const [range] = memory.map(({ address, bytes }) => ({ address, lengthBytes: bytes.length }));
    const volley = assembleVolley({
      ...{ usesFxsave, cleared: [DATA, BORDER] },
      ...{ memory: range, readBack: readBack[0] },
    });
    this.#memory.view(VOLLEY_GVA, VOLLEY_CODE_BYTES).set(volley.bytes);
    this.#setVariable(VARIABLES.current, RECORDS_GVA);
    this.#setVariable(VARIABLES.end, RECORDS_GVA + count * RECORD.bytes);
    this.#setVariable(VARIABLES.stackPointer, STACK_TOP_GVA);
    this.#setVariable(VARIABLES.entry, Number(state.rip));
    // The instruction, the jump behind it, and at the end of the page what that jumps by.
    const page = new Uint8Array(RETURN_POINTER + 8 - Number(state.rip)).fill(0xcc);
    page.set(code);
    page.set(indirectJump(Number(state.rip) + code.length, RETURN_POINTER), code.length);
    new DataView(page.buffer).setBigUint64(page.length - 8, BigInt(volley.saveGva), true);
    this.#space.load(state.rip, page);
    this.#fpu.load(undefined, usesFxsave ? 'legacy' : 'none'); // for what FXRSTOR does not load
    return volley;
  }

  /** Returns what stopped on the way: results, or undefined for the cases to look at again. */
  #execute(cases: readonly NativeCase[], { doneGva }: VolleyCode): Map<number, NativeResult | undefined> {
    const stopped = new Map<number, NativeResult | undefined>();
    const { fsBase = 0n, gsBase = 0n, rip: entry } = cases[0]!.state;
    const start = {
      registers: new BigUint64Array(16),
      rip: BigInt(VOLLEY_GVA),
      rflags: RFLAGS_FIXED,
      fsBase,
      gsBase,
    };
    for (;;) {
      this.#registers.set(start, 64);
      const stop = runToStop(this.#tracee, 'continue');
      const state = this.#registers.get(64);
      if (state.rip === BigInt(doneGva) + 1n) return stopped;
      if (state.rip >= BigInt(VOLLEY_GVA) && state.rip < BigInt(VOLLEY_GVA + VOLLEY_CODE_BYTES))
        throw new Error(`the volley stopped at 0x${state.rip.toString(16)}: ${JSON.stringify(stop)}`);
      const current = this.#variable(VARIABLES.current);
      const index = (current - RECORDS_GVA) / RECORD.bytes;
      stopped.set(index, state.rip === entry ? this.#faultResult(cases[index]!, state, stop) : undefined);
      this.#setVariable(VARIABLES.current, current + RECORD.bytes);
    }
  }

  #faultResult(
    testCase: NativeCase,
    state: NativeResult['state'],
    stop: TraceeStop,
  ): NativeResult | undefined {
    const kind = stop.kind === 'signal' && stop.signal !== SIGTRAP ? FAULT_SIGNALS[stop.signal] : undefined;
    if (kind === undefined) return undefined;
    const { address, code }: SignalInfo = this.#tracee.getSignalInfo();
    return {
      state: testCase.wantsFxsave ? { ...state, fxsave: this.#fpu.get() } : state,
      fault: { kind, address, code },
      memory: (testCase.readBack ?? []).map((range) => this.#space.read(range.address, range.lengthBytes)),
    };
  }

  #writeRecord({ state, memory = [] }: NativeCase, index: number, usesFxsave: boolean): void {
    const at = index * RECORD.bytes;
    this.#words.set(state.registers, at / 8);
    this.#words[(at + RECORD.rflags) / 8] = state.rflags;
    if (usesFxsave) this.#bytes.set(state.fxsave ?? INITIAL_FXSAVE, at + RECORD.fxsave);
    if (memory[0]) this.#bytes.set(memory[0].bytes, at + RECORD.memory);
  }

  #readRecord({ code, state, readBack = [], wantsFxsave }: NativeCase, index: number): NativeResult {
    const at = index * RECORD.bytes;
    const first = (at + RECORD.registersAfter) / 8;
    const after = {
      registers: this.#words.slice(first, first + 16),
      rip: state.rip + BigInt(code.length),
      rflags: this.#words[(at + RECORD.rflagsAfter) / 8]!,
    };
    const area = at + RECORD.fxsaveAfter;
    const from = at + RECORD.memoryAfter;
    return {
      state: wantsFxsave
        ? { ...after, fxsave: this.#bytes.slice(area, area + FXSAVE_BYTES).fill(0, FXSAVE_SOFTWARE) }
        : after,
      memory: readBack.map(({ lengthBytes }) => this.#bytes.slice(from, from + lengthBytes)),
    };
  }

  #variable(gva: number): number {
    const view = this.#memory.view(gva, 8);
    return Number(new DataView(view.buffer, view.byteOffset).getBigUint64(0, true));
  }

  #setVariable(gva: number, value: number): void {
    const view = this.#memory.view(gva, 8);
    new DataView(view.buffer, view.byteOffset).setBigUint64(0, BigInt(value), true);
  }
}
