/** Runs one case with vector state on silicon and in the engine, and says where they differ. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { flagDifference } from './compare.ts';
import type { EngineMachine, EngineResult } from './engine-machine.ts';
import { LAYOUT } from './native/address-space.ts';
import type { FaultKind, NativeResult } from './native/case.ts';
import type { Silicon } from './native/silicon.ts';
import type { VectorCase } from './vector-cases.ts';
import { FXSAVE, loadVectors, vectorDifference } from './vector-state.ts';

/** The signals that exceptions become. */
const SIGNAL_KINDS: Readonly<Record<number, FaultKind>> = { 13: 'segv', 16: 'fpe', 19: 'fpe' };
const GP = 13;
const SEGV_MAPERR = 1;
const SEGV_ACCERR = 2;
const VECTOR_BYTES = 16n;
/** AMD lets programs switch off alignment checks with this bit of MXCSR, Intel calls it reserved; so does the engine. */
const MISALIGNED_MASK = 0x2_0000;

/** @returns undefined when both agree */
export function vectorCaseDifference(
  silicon: Silicon,
  engine: EngineMachine,
  variant: Variant,
  test: VectorCase,
): string | undefined {
  const { code, registers, rflags, memory, fxsave } = test;
  const native = silicon.run({
    code,
    state: { registers, rip: BigInt(LAYOUT.codeGva), rflags, fxsave },
    memory: [{ address: LAYOUT.dataGva, bytes: memory }],
    readBack: [{ address: LAYOUT.dataGva, lengthBytes: LAYOUT.dataLengthBytes }],
    wantsFxsave: true,
  });
  loadVectors(engine.state, fxsave);
  const ours = engine.run(code, registers, rflags, memory);
  if (ours === undefined) return 'the decoder knows no such instruction';
  if (ours.decoded.encoding !== variant.encoding) return `decoded as ${ours.decoded.encoding.notation}`;
  const mxcsr = new DataView(native.state.fxsave!.buffer).getUint32(FXSAVE.mxcsr, true);
  if (ours.exception === GP && mxcsr & MISALIGNED_MASK) return undefined;
  return (
    faultDifference(native, ours) ??
    registerDifference(variant, native, ours) ??
    vectorDifference(engine.state, native.state.fxsave!) ??
    (Buffer.compare(native.memory[0]!, engine.data()) === 0 ? undefined : 'memory differs')
  );
}

function registerDifference(variant: Variant, native: NativeResult, ours: EngineResult): string | undefined {
  for (const [number, value] of native.state.registers.entries())
    if (ours.registers[number] !== value)
      return `register ${number} is ${hex(ours.registers[number]!)}, silicon ${hex(value)}`;
  if (native.fault) return undefined;
  if (native.state.rip !== ours.rip) return `rip ${hex(ours.rip)}, silicon ${hex(native.state.rip)}`;
  return flagDifference(variant, ours.rflags, native.state.rflags);
}

function faultDifference({ fault }: NativeResult, ours: EngineResult): string | undefined {
  const native = fault ? `${fault.kind} ${fault.code}` : 'no fault';
  const isPageFault = fault?.kind === 'segv' && (fault.code === SEGV_MAPERR || fault.code === SEGV_ACCERR);
  if (ours.fault !== undefined) {
    const isNear = fault && fault.address >= ours.fault && fault.address < ours.fault + VECTOR_BYTES;
    return isPageFault && isNear ? undefined : `a page fault at ${hex(ours.fault)}, silicon: ${native}`;
  }
  const expected = ours.exception === undefined ? undefined : SIGNAL_KINDS[ours.exception];
  if (expected === fault?.kind && !isPageFault) return undefined;
  return `exception ${ours.exception}, silicon: ${native} at ${hex(fault?.address ?? 0n)}`;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
