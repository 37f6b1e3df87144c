/** Runs cases on silicon and in the engine, and says where they differ. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { FLAG_BIT } from '@vireo/x86-engine/status-flags';
import type { StatusFlag } from '@vireo/x86-isa';
import type { EngineMachine, EngineResult } from './engine-machine.ts';
import { LAYOUT } from './native/address-space.ts';
import type { NativeCase, NativeFault, NativeResult, Silicon } from './native/silicon.ts';
import type { TestCase, TestCode, Window } from './test-case.ts';

const ALL_FLAGS = Object.keys(FLAG_BIT) as StatusFlag[];
const DIRECTION_FLAG = 0x400n;
const SEGV_MAPERR = 1;
const SEGV_ACCERR = 2;

/** How the kernel shows the exceptions that handlers raise. */
const FAULT_KINDS: Readonly<Record<number, NativeFault['kind']>> = { 0: 'fpe', 6: 'ill', 13: 'segv' };

export interface Comparison {
  /** Also what the manual leaves undefined: the engine does as AMD's processors do. */
  readonly undefinedToo?: boolean;
}

const ALL_DATA: Window = { gva: LAYOUT.dataGva, lengthBytes: LAYOUT.dataLengthBytes };

/** Compares all memory. @returns undefined when both agree */
export function difference(
  silicon: Silicon,
  engine: EngineMachine,
  code: TestCode,
  test: TestCase,
  comparison: Comparison = {},
): string | undefined {
  const native = silicon.run(nativeCase(test, code.window, ALL_DATA));
  return compare(engine, code, test, native, { ...comparison, window: ALL_DATA });
}

export interface Difference {
  readonly test: TestCase;
  readonly found: string;
}

/** One code with many states: many times as fast, but only the window is compared. */
export function firstDifference(
  silicon: Silicon,
  engine: EngineMachine,
  code: TestCode,
  tests: readonly TestCase[],
  comparison: Comparison = {},
): Difference | undefined {
  const natives = silicon.runAll(tests.map((test) => nativeCase(test, code.window, code.window)));
  for (const [at, test] of tests.entries()) {
    const found = compare(engine, code, test, natives[at]!, { ...comparison, window: code.window });
    if (found !== undefined) return { test, found };
  }
  return undefined;
}

function nativeCase(
  { code, registers, rflags, memory }: TestCase,
  window: Window,
  readBack: Window,
): NativeCase {
  return {
    code,
    state: { registers, rip: BigInt(LAYOUT.codeGva), rflags },
    memory: [{ address: window.gva, bytes: memory }],
    readBack: [{ address: readBack.gva, lengthBytes: readBack.lengthBytes }],
  };
}

function compare(
  engine: EngineMachine,
  { variant, window }: TestCode,
  { code, registers, rflags, memory }: TestCase,
  native: NativeResult,
  comparison: Comparison & { readonly window: Window },
): string | undefined {
  const ours = engine.run(code, registers, rflags, memory, window.gva);
  if (ours === undefined) return 'the decoder knows no such instruction';
  if (!isSame(ours.decoded.instruction.mnemonic, ours.decoded.encoding, variant))
    return `decoded as ${ours.decoded.instruction.mnemonic} ${ours.decoded.encoding.notation}`;
  if (ours.fault !== undefined && isInCode(ours.fault)) return undefined;
  return (
    faultDifference(native.fault, ours) ??
    registerDifference(ours, native) ??
    flagDifference(
      variant,
      ours.rflags,
      native.state.rflags,
      comparison.undefinedToo || native.fault !== undefined,
    ) ??
    (Buffer.compare(native.memory[0]!, engine.data(comparison.window)) === 0 ? undefined : 'memory differs')
  );
}

/** The code's own page can be read on silicon. The engine has nothing there, for what is there is the tester's. */
function isInCode(gva: bigint): boolean {
  const offset = gva - BigInt(LAYOUT.codeGva);
  return offset > -16n && offset < LAYOUT.codeLengthBytes;
}

/** XCHG of RAX with itself is NOP. */
function isSame(
  mnemonic: string,
  encoding: Variant['encoding'],
  { instruction, encoding: wanted }: Variant,
): boolean {
  return encoding === wanted || (mnemonic === 'NOP' && instruction.mnemonic === 'XCHG');
}

function registerDifference(ours: EngineResult, { state, fault }: NativeResult): string | undefined {
  if (!fault && state.rip !== ours.rip) return `rip ${hex(ours.rip)}, silicon ${hex(state.rip)}`;
  for (let number = 0; number < state.registers.length; number++)
    if (ours.registers[number] !== state.registers[number])
      return `register ${number} is ${hex(ours.registers[number]!)}, silicon ${hex(state.registers[number]!)}`;
  return undefined;
}

function faultDifference(native: NativeFault | undefined, ours: EngineResult): string | undefined {
  const { fault, exception } = ours;
  const silicon = native
    ? `silicon: ${native.kind} ${native.code} at ${hex(native.address)}`
    : 'silicon none';
  if (fault === undefined && exception === undefined)
    return native === undefined ? undefined : `no fault, ${silicon}`;
  const isPageFault = native?.kind === 'segv' && (native.code === SEGV_MAPERR || native.code === SEGV_ACCERR);
  if (exception !== undefined)
    return native?.kind === FAULT_KINDS[exception] && !isPageFault
      ? undefined
      : `exception ${exception}, ${silicon}`;
  if (native === undefined) return `a fault at ${hex(fault!)}, ${silicon}`;
  // What is not canonical is #GP, and of the stack #SS: they have no address.
  if (!isPageFault) return native.kind === 'segv' || native.kind === 'bus' ? undefined : silicon;
  // A page fault is at the first byte that is not there; the engine says where the access began.
  const isNear = native.address >= fault! && native.address < fault! + 16n;
  return isNear ? undefined : `a fault at ${hex(fault!)}, ${silicon}`;
}

export function flagDifference(
  { instruction, encoding }: Variant,
  ours: bigint,
  native: bigint,
  undefinedToo = false,
): string | undefined {
  const undefinedFlags = encoding.undefinedFlags ?? instruction.undefinedFlags ?? [];
  const compared = ALL_FLAGS.filter((flag) => undefinedToo || !undefinedFlags.includes(flag));
  const differing: string[] = compared.filter((flag) => ((ours ^ native) >> BigInt(FLAG_BIT[flag])) & 1n);
  if ((ours ^ native) & DIRECTION_FLAG) differing.push('DF');
  if (differing.length === 0) return undefined;
  return `${differing.join(', ')}: flags ${hex(ours)}, silicon ${hex(native)}`;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
