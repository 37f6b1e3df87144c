/**
 * Faults of the engine beside the signals that silicon's become (native/silicon.ts). A signal tells the vector but for
 * #GP and #SS, and the address of a page fault; its direction shows where memory may be read and not written.
 */
import type { EngineResult } from './engine-machine.ts';
import { LAYOUT } from './native/address-space.ts';
import type { NativeFault, NativeResult } from './native/case.ts';
import { FXSAVE } from './vector-state.ts';

const SEGV_MAPERR = 1;
const SEGV_ACCERR = 2;
const BUS_ADRALN = 1;
const FPE_INTDIV = 1;
const GP = 13;
/** AMD lets programs switch off alignment checks with this bit of MXCSR, Intel calls it reserved; so does the engine. */
const MISALIGNED_MASK = 0x2_0000;
const LONGEST_INSTRUCTION_BYTES = 16n;

/** Vectors: the exceptions that instructions raise by themselves. */
const SIGNALS: Readonly<Record<number, { kind: NativeFault['kind']; code?: number }>> = {
  0: { kind: 'fpe', code: FPE_INTDIV },
  6: { kind: 'ill' },
  [GP]: { kind: 'segv' },
  16: { kind: 'fpe' },
  19: { kind: 'fpe' },
};

export function faultDifference(ours: EngineResult, { fault: native }: NativeResult): string | undefined {
  if (isSameFault(ours, native)) return undefined;
  return `${describeOurs(ours)}, silicon: ${describeNative(native)}`;
}

function isSameFault({ fault, exception }: EngineResult, native: NativeFault | undefined): boolean {
  if (fault === undefined && exception === undefined) return native === undefined;
  if (native === undefined) return false;
  const isPageFault = native.kind === 'segv' && (native.code === SEGV_MAPERR || native.code === SEGV_ACCERR);
  if (exception !== undefined) {
    const { kind, code = native.code } = SIGNALS[exception] ?? {};
    return native.kind === kind && native.code === code && !isPageFault;
  }
  if (fault!.kind === 'misaligned') return native.kind === 'bus' && native.code === BUS_ADRALN;
  // #GP, and #SS where the stack is meant.
  if (fault!.kind === 'not-canonical')
    return !isPageFault && (native.kind === 'segv' || native.kind === 'bus');
  const code = fault!.kind === 'unmapped' ? SEGV_MAPERR : SEGV_ACCERR;
  return isPageFault && native.code === code && native.address === fault!.address;
}

export function describeOurs({ fault, exception }: EngineResult): string {
  if (fault) return `${fault.kind} at ${hex(fault.address)}`;
  return exception === undefined ? 'no fault' : `exception ${exception}`;
}

export function describeNative(native: NativeFault | undefined): string {
  return native ? `${native.kind} ${native.code} at ${hex(native.address)}` : 'no fault';
}

/** The code's own page can be read on silicon. The engine has nothing there, for what is there is the tester's. */
export function isInCode({ fault }: EngineResult): boolean {
  if (fault === undefined) return false;
  const offset = fault.address - BigInt(LAYOUT.codeGva);
  return offset > -LONGEST_INSTRUCTION_BYTES && offset < LAYOUT.codeLengthBytes;
}

export function isVendorsOwn({ exception }: EngineResult, { state: { fxsave } }: NativeResult): boolean {
  if (exception !== GP || fxsave === undefined) return false;
  const area = new DataView(fxsave.buffer, fxsave.byteOffset);
  return (area.getUint32(FXSAVE.mxcsr, true) & MISALIGNED_MASK) !== 0;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
