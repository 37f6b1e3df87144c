/** Runs cases on silicon and in the engine, and says where they differ. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { FLAG_BIT } from '@vireo/x86-engine/status-flags';
import type { StatusFlag } from '@vireo/x86-isa';
import type { EngineMachine, EngineResult } from './engine-machine.ts';
import { faultDifference, isInCode, isVendorsOwn } from './fault-comparison.ts';
import { LAYOUT } from './native/address-space.ts';
import type { NativeCase, NativeResult, Silicon } from './native/silicon.ts';
import type { TestCase, TestCode, Window } from './test-case.ts';
import { loadVectors, vectorDifference } from './vector-state.ts';

const ALL_FLAGS = Object.keys(FLAG_BIT) as StatusFlag[];
const DIRECTION_FLAG = 0x400n;

export interface Machines {
  readonly silicon: Silicon;
  readonly engine: EngineMachine;
}

export interface Comparison {
  /** Also what the manual leaves undefined: the engine does as AMD's processors do. */
  readonly undefinedToo?: boolean;
}

/** One case on both sides. */
export interface Outcome {
  readonly test: TestCase;
  readonly native: NativeResult;
  /** Undefined when there is no such instruction. */
  readonly ours: EngineResult | undefined;
  /** Undefined when both agree. */
  readonly difference?: string;
}

const ALL_DATA: Window = { gva: LAYOUT.dataGva, lengthBytes: LAYOUT.dataLengthBytes };
const BORDER: Window = { gva: LAYOUT.borderGva, lengthBytes: LAYOUT.borderLengthBytes };

/** Compares all memory. */
export function compareAlone(
  machines: Machines,
  code: TestCode,
  test: TestCase,
  comparison: Comparison = {},
): Outcome {
  const readBack = [ALL_DATA, BORDER];
  const native = machines.silicon.run(nativeCase(code, test, readBack));
  return compare(machines.engine, code, test, native, { ...comparison, readBack });
}

/** One code with many states: many times as fast, but only the window is compared. */
export function* compareAll(
  { silicon, engine }: Machines,
  code: TestCode,
  tests: readonly TestCase[],
  comparison: Comparison = {},
): Generator<Outcome> {
  const readBack = [code.window];
  const natives = silicon.runAll(tests.map((test) => nativeCase(code, test, readBack)));
  for (const [at, test] of tests.entries())
    yield compare(engine, code, test, natives[at]!, { ...comparison, readBack });
}

function nativeCase(
  { window, segmentBases }: TestCode,
  { code, registers, rflags, memory, fxsave }: TestCase,
  readBack: readonly Window[],
): NativeCase {
  const bases = { fsBase: BigInt(segmentBases.fs), gsBase: BigInt(segmentBases.gs) };
  const vectors = fxsave && { fxsave };
  return {
    code,
    state: { registers, rip: BigInt(LAYOUT.codeGva), rflags, ...bases, ...vectors },
    memory: [{ address: window.gva, bytes: memory }],
    readBack: readBack.map(({ gva, lengthBytes }) => ({ address: gva, lengthBytes })),
    wantsFxsave: fxsave !== undefined,
  };
}

function compare(
  engine: EngineMachine,
  { variant, window, segmentBases }: TestCode,
  test: TestCase,
  native: NativeResult,
  comparison: Comparison & { readonly readBack: readonly Window[] },
): Outcome {
  if (test.fxsave) loadVectors(engine.state, test.fxsave);
  engine.setSegmentBases(segmentBases);
  const ours = engine.run(test.code, test.registers, test.rflags, test.memory, window.gva);
  const difference =
    ours === undefined
      ? 'the decoder knows no such instruction'
      : isVendorsOwn(ours, native) || isInCode(ours)
        ? undefined
        : (decodingDifference(ours, variant) ??
          faultDifference(ours, native) ??
          registerDifference(ours, native) ??
          flagDifference(variant, ours, native, comparison) ??
          (native.state.fxsave && vectorDifference(engine.state, native.state.fxsave)) ??
          memoryDifference(engine, native, comparison.readBack));
  return { test, native, ours, ...(difference !== undefined && { difference }) };
}

/** XCHG of RAX with itself is NOP. */
function decodingDifference({ decoded }: EngineResult, wanted: Variant): string | undefined {
  const { instruction, encoding } = decoded;
  const isNop = instruction.mnemonic === 'NOP' && wanted.instruction.mnemonic === 'XCHG';
  if (encoding === wanted.encoding || isNop) return undefined;
  return `decoded as ${instruction.mnemonic} ${encoding.notation}`;
}

function registerDifference(ours: EngineResult, { state }: NativeResult): string | undefined {
  if (state.rip !== ours.rip) return `rip ${hex(ours.rip)}, silicon ${hex(state.rip)}`;
  for (let number = 0; number < state.registers.length; number++)
    if (ours.registers[number] !== state.registers[number])
      return `register ${number} is ${hex(ours.registers[number]!)}, silicon ${hex(state.registers[number]!)}`;
  return undefined;
}

/** A fault leaves all flags as they were. */
export function flagDifference(
  { instruction, encoding }: Variant,
  ours: EngineResult,
  native: NativeResult,
  { undefinedToo = false }: Pick<Comparison, 'undefinedToo'> = {},
): string | undefined {
  const differing = ours.rflags ^ native.state.rflags;
  if (differing === 0n) return undefined;
  const undefinedFlags = encoding.undefinedFlags ?? instruction.undefinedFlags ?? [];
  const isCompared = (flag: StatusFlag) => undefinedToo || native.fault || !undefinedFlags.includes(flag);
  const names: string[] = ALL_FLAGS.filter(
    (flag) => (differing >> BigInt(FLAG_BIT[flag])) & 1n && isCompared(flag),
  );
  if (differing & DIRECTION_FLAG) names.push('DF');
  if (names.length === 0) return undefined;
  return `${names.join(', ')}: flags ${hex(ours.rflags)}, silicon ${hex(native.state.rflags)}`;
}

function memoryDifference(
  engine: EngineMachine,
  { memory }: NativeResult,
  readBack: readonly Window[],
): string | undefined {
  for (const [at, window] of readBack.entries()) {
    const ours = engine.data(window);
    const theirs = memory[at]!;
    if (Buffer.compare(theirs, ours) === 0) continue;
    const offset = ours.findIndex((byte, place) => byte !== theirs[place]);
    const bytes = (memory: Uint8Array) => Buffer.from(memory.subarray(offset, offset + 16)).toString('hex');
    return `memory at ${hex(BigInt(window.gva + offset))} is ${bytes(ours)}, silicon ${bytes(theirs)}`;
  }
  return undefined;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
