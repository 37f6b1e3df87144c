/**
 * Runs one case with a state of the x87 on silicon and in the engine, and says where they differ.
 *
 * Left out is where vendors differ, or what no manual promises:
 *
 * - the last instruction's pointers, which AMD's processors save only while an exception is pending (AMD64 Architecture
 *   Programmer's Manual Vol. 5 "FXSAVE");
 * - MXCSR's bit 17 and its mask, which are AMD's;
 * - C1 after FCOMI and its like: 0 by Intel's manual, as it was on AMD's processors;
 * - one unit in the last place of transcendental functions, and C1, which says how that was rounded.
 */
import { offsetOf } from '@vireo/x86-engine/cpu-state';
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { flagDifference, type Machines, type Outcome } from './compare.ts';
import type { EngineMachine, EngineResult } from './engine-machine.ts';
import { LAYOUT } from './native/address-space.ts';
import type { FaultKind, NativeResult } from './native/case.ts';
import type { TestCode } from './test-case.ts';
import { FXSAVE, loadVectors } from './vector-state.ts';
import type { X87Case } from './x87-cases.ts';
import { areaAlignment } from './x87-features.ts';

const TRANSCENDENTAL = /^F(2XM1|YL2X|YL2XP1|PTAN|PATAN|SIN|COS|SINCOS)$/;
const LEAVES_C1 = /^FU?COMIP?$/;
const SIGNAL_KINDS: Readonly<Record<number, FaultKind>> = { 6: 'ill', 13: 'segv', 16: 'fpe' };
const GP = 13;
const SEGV_MAPERR = 1;
const SEGV_ACCERR = 2;
const C1 = 0x200n;
const ES = 0x80n;
const LONGEST_BYTES = 576n;
const REGISTER_BYTES = 16;
const MISALIGNED_MASK = 0x2_0000;
/** State components of the engine's XCR0: x87 and SSE. */
const XCR0 = 3n;

export function compareX87(
  { silicon, engine }: Machines,
  { variant, segmentBases }: TestCode,
  test: X87Case,
): Outcome {
  const { code, registers, rflags, memory, fxsave } = test;
  const bases = { fsBase: BigInt(segmentBases.fs), gsBase: BigInt(segmentBases.gs) };
  const native = silicon.run({
    code,
    state: { registers, rip: BigInt(LAYOUT.codeGva), rflags, fxsave, ...bases },
    memory: [{ address: LAYOUT.dataGva, bytes: memory }],
    readBack: [{ address: LAYOUT.dataGva, lengthBytes: LAYOUT.dataLengthBytes }],
    wantsFxsave: true,
  });
  loadState(engine.state, fxsave);
  engine.setSegmentBases(segmentBases);
  const ours = engine.run(code, registers, rflags, memory);
  const difference = x87Difference(engine, variant, ours, native);
  return { test, native, ours, ...(difference !== undefined && { difference }) };
}

function x87Difference(
  engine: EngineMachine,
  variant: Variant,
  ours: EngineResult | undefined,
  native: NativeResult,
): string | undefined {
  if (ours === undefined) return 'the decoder knows no such instruction';
  if (ours.decoded.encoding !== variant.encoding) return `decoded as ${ours.decoded.encoding.notation}`;
  if (ours.exception === GP && takesMisalignedMask(native)) return undefined;
  return (
    faultDifference(native, ours) ??
    registerDifference(variant, native, ours) ??
    stateDifference(variant, engine.state, native) ??
    (native.fault ? undefined : memoryDifference(variant, engine.data(), native.memory[0]!))
  );
}

const areaOf = ({ state }: NativeResult): DataView => new DataView(state.fxsave!.buffer);

const takesMisalignedMask = (native: NativeResult): boolean =>
  (areaOf(native).getUint32(FXSAVE.mxcsr, true) & MISALIGNED_MASK) !== 0;

/** Also the last instruction's pointers. The words in memory may say what a processor would never have. */
function loadState(state: DataView, fxsave: Uint8Array): void {
  loadVectors(state, fxsave);
  const area = new DataView(fxsave.buffer, fxsave.byteOffset, fxsave.length);
  const [control, status] = [area.getUint16(FXSAVE.control, true), area.getUint16(FXSAVE.status, true)];
  state.setUint32(offsetOf('x87Control'), (control & 0x1f3f) | 0x40, true);
  const pending = status & ~control & 0x3f ? 0x8080 : 0;
  state.setUint32(offsetOf('x87Status'), (status & 0x7f7f) | pending, true);
  state.setUint32(offsetOf('x87Opcode'), area.getUint16(6, true), true);
  state.setBigUint64(offsetOf('x87Instruction'), area.getBigUint64(8, true), true);
  state.setBigUint64(offsetOf('x87Data'), area.getBigUint64(16, true), true);
  state.setBigUint64(offsetOf('xcr0'), XCR0, true);
}

function faultDifference({ fault }: NativeResult, ours: EngineResult): string | undefined {
  const native = fault ? `${fault.kind} ${fault.code}` : 'no fault';
  const isPageFault = fault?.kind === 'segv' && (fault.code === SEGV_MAPERR || fault.code === SEGV_ACCERR);
  if (ours.fault?.kind === 'not-canonical')
    return !isPageFault && (fault?.kind === 'segv' || fault?.kind === 'bus')
      ? undefined
      : `#GP, silicon: ${native}`;
  if (ours.fault !== undefined) {
    // Where in an area it faults first is the processor's business.
    const distance = BigInt.asIntN(64, (fault?.address ?? 0n) - ours.fault.address);
    const isNear = distance > -LONGEST_BYTES && distance < LONGEST_BYTES;
    return isPageFault && isNear
      ? undefined
      : `a page fault at ${hex(ours.fault.address)}, silicon: ${native}`;
  }
  const expected = ours.exception === undefined ? undefined : SIGNAL_KINDS[ours.exception];
  if (expected === fault?.kind && !isPageFault) return undefined;
  return `exception ${ours.exception}, silicon: ${native} at ${hex(fault?.address ?? 0n)}`;
}

function registerDifference(variant: Variant, native: NativeResult, ours: EngineResult): string | undefined {
  for (const [number, value] of native.state.registers.entries())
    if (ours.registers[number] !== value)
      return `register ${number} is ${hex(ours.registers[number]!)}, silicon ${hex(value)}`;
  if (native.fault) return undefined;
  if (native.state.rip !== ours.rip) return `rip ${hex(ours.rip)}, silicon ${hex(native.state.rip)}`;
  return flagDifference(variant, ours, native);
}

function stateDifference(variant: Variant, state: DataView, native: NativeResult): string | undefined {
  const area = areaOf(native);
  const { mnemonic } = variant.instruction;
  const isApproximate = TRANSCENDENTAL.test(mnemonic);
  const compared = ~(isApproximate || LEAVES_C1.test(mnemonic) ? C1 : 0n);
  const status = BigInt(state.getUint32(offsetOf('x87Status'), true));
  const words = [
    ['FCW', BigInt(state.getUint32(offsetOf('x87Control'), true)), BigInt(area.getUint16(0, true))],
    ['FSW', status & compared, BigInt(area.getUint16(2, true)) & compared],
    ['FTW', BigInt(state.getUint32(offsetOf('x87Tags'), true)), BigInt(area.getUint8(4))],
    ['MXCSR', BigInt(state.getUint32(offsetOf('mxcsr'), true)), BigInt(area.getUint32(24, true))],
  ] as const;
  for (const [name, ours, theirs] of words)
    if (ours !== theirs) return `${name} is ${hex(ours)}, silicon ${hex(theirs)}`;
  return (
    (status & ES ? pointerDifference(state, area) : undefined) ??
    stackDifference(state, area, Number(status), isApproximate) ??
    xmmDifference(state, area)
  );
}

function pointerDifference(state: DataView, area: DataView): string | undefined {
  const pointers = [
    ['FOP', BigInt(state.getUint32(offsetOf('x87Opcode'), true)), BigInt(area.getUint16(6, true))],
    ['FIP', state.getBigUint64(offsetOf('x87Instruction'), true), area.getBigUint64(8, true)],
    ['FDP', state.getBigUint64(offsetOf('x87Data'), true), area.getBigUint64(16, true)],
  ] as const;
  for (const [name, ours, theirs] of pointers)
    if (ours !== theirs) return `${name} is ${hex(ours)}, silicon ${hex(theirs)}`;
  return undefined;
}

function stackDifference(
  state: DataView,
  area: DataView,
  status: number,
  isApproximate: boolean,
): string | undefined {
  const top = (status >> 11) & 7;
  for (let place = 0; place < 8; place++) {
    const ours = number80(state, offsetOf('x87') + ((place + top) & 7) * REGISTER_BYTES);
    const theirs = number80(area, FXSAVE.x87 + place * REGISTER_BYTES);
    const distance = ordinalOf(ours) - ordinalOf(theirs);
    const isNear = isApproximate && (distance === 1n || distance === -1n);
    if (ours !== theirs && !isNear) return `ST(${place}) is ${hex(ours)}, silicon ${hex(theirs)}`;
  }
  return undefined;
}

/** Without the integer bit, numbers that follow each other are integers that do. */
function ordinalOf(number: bigint): bigint {
  return ((number >> 64n) << 63n) | BigInt.asUintN(63, number);
}

function xmmDifference(state: DataView, area: DataView): string | undefined {
  for (let number = 0; number < 16; number++) {
    const ours = vector(state, offsetOf('xmm') + number * 32);
    const theirs = vector(area, FXSAVE.xmm + number * REGISTER_BYTES);
    if (ours !== theirs) return `XMM${number} is ${hex(ours)}, silicon ${hex(theirs)}`;
  }
  return undefined;
}

const vector = (view: DataView, offset: number): bigint =>
  view.getBigUint64(offset, true) | (view.getBigUint64(offset + 8, true) << 64n);
const number80 = (view: DataView, offset: number): bigint => vector(view, offset) & ((1n << 80n) - 1n);

/** The areas that FXSAVE and XSAVE write differ in the pointers and in MXCSR_MASK. */
function memoryDifference(variant: Variant, ours: Uint8Array, native: Uint8Array): string | undefined {
  if (Buffer.compare(ours, native) === 0) return undefined;
  const first = ours.findIndex((byte, at) => byte !== native[at]);
  if (areaAlignment(variant) && isWithinLeftOut(ours, native, first)) return undefined;
  return `memory differs at +${hex(BigInt(first))}: ${ours[first]}, silicon ${native[first]}`;
}

/** Bytes 6 to 23, and 28 to 31, of an area that begins at a multiple of 16. */
function isWithinLeftOut(ours: Uint8Array, native: Uint8Array, first: number): boolean {
  const starts = [first - (first % 16), first - (first % 16) - 16];
  return starts.some((start) =>
    ours.every((byte, at) => {
      const offset = at - start;
      return byte === native[at] || (offset >= 6 && offset < 24) || (offset >= 28 && offset < 32);
    }),
  );
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
