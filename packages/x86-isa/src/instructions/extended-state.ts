/**
 * The state of x87 and SSE in memory (Intel SDM Vol. 1 §10.5 "FXSAVE and FXRSTOR Instructions", chapter 13 "Managing State
 * Using the XSAVE Feature Set"). Of XSAVE's state components there are two: 0, x87, and 1, SSE. Neither is ever known to
 * be in its initial state, so that XSAVEOPT and XSAVEC save what they are asked for; and both lie in the legacy region,
 * where the compacted format is the standard one.
 */
import type { Builder, Operand, Value } from '../builder.ts';
import { enc, type Feature, type Instruction, instruction, not64, only64 } from '../instruction.ts';
import { address } from '../operand.ts';
import { initialize } from './x87-control.ts';

const REGISTER_BYTES = 16;
const X87_REGISTERS = 8;
/** Intel SDM Vol. 1 §13.4.1 "Legacy Region of an XSAVE Area", §13.4.2 "XSAVE Header". */
const AREA = { mxcsr: 24, mxcsrMask: 28, x87: 32, xmm: 160, end: 416 } as const;
const HEADER = { stateBv: 512, compactionBv: 520, reserved: 528, end: 576 } as const;
const HEADER_BYTES = HEADER.end - HEADER.stateBv;
const COMPONENT = { x87: 1, sse: 2 } as const;
const COMPACTED = 1n << 63n;
const MXCSR_INITIAL = 0x1f80;
/** The bits that LDMXCSR takes. */
const MXCSR_MASK = 0xffff;

const FXSAVE_ALIGNMENT = 16;
const XSAVE_ALIGNMENT = 64;

/** What the mode and REX.W say of the format. */
interface Format {
  /** Pointers of 64 bits, not of 32 with selectors, which are 0 here. */
  readonly hasWidePointers: boolean;
  readonly xmmRegisters: 8 | 16;
}

function putX87(e: Builder, { hasWidePointers }: Format): void {
  const { x87: fpu, block } = e;
  const { opcode, instruction: last, data } = fpu.pointers();
  const pointer = (value: Value) => (hasWidePointers ? value : e.zeroExtend(e.truncate(value, 32), 64));
  block.put(0, fpu.control());
  block.put(2, fpu.status());
  block.put(4, e.zeroExtend(fpu.tags('abridged'), 16));
  block.put(6, opcode);
  block.put(8, pointer(last));
  block.put(16, pointer(data));
  for (let number = 0; number < X87_REGISTERS; number++)
    block.put(AREA.x87 + number * REGISTER_BYTES, fpu.register(number));
}

function getX87(e: Builder, { hasWidePointers }: Format): void {
  const { x87: fpu, block } = e;
  const pointer = (place: number) => e.zeroExtend(block.get(place, hasWidePointers ? 64 : 32), 64);
  fpu.setControl(block.get(0, 16));
  fpu.setStatus(block.get(2, 16));
  fpu.setTags('abridged', block.get(4, 8));
  fpu.setPointers({ opcode: block.get(6, 16), instruction: pointer(8), data: pointer(16) });
  for (let number = 0; number < X87_REGISTERS; number++)
    fpu.setRegister(number, block.get(AREA.x87 + number * REGISTER_BYTES, 80));
}

function putSse(e: Builder, { xmmRegisters }: Format): void {
  e.block.put(AREA.mxcsr, e.float.readControl());
  e.block.put(AREA.mxcsrMask, e.constant(32, MXCSR_MASK));
  for (let number = 0; number < xmmRegisters; number++)
    e.block.put(AREA.xmm + number * REGISTER_BYTES, e.vector.register(number));
}

function getXmm(e: Builder, { xmmRegisters }: Format): void {
  for (let number = 0; number < xmmRegisters; number++)
    e.vector.setRegister(number, e.block.get(AREA.xmm + number * REGISTER_BYTES, 128));
}

function initializeX87(e: Builder): void {
  initialize(e);
  for (let number = 0; number < X87_REGISTERS; number++) e.x87.setRegister(number, e.vector.constant(0n));
}

function initializeXmm(e: Builder, { xmmRegisters }: Format): void {
  for (let number = 0; number < xmmRegisters; number++) e.vector.setRegister(number, e.vector.constant(0n));
}

const xmmEnd = ({ xmmRegisters }: Format): number => AREA.xmm + xmmRegisters * REGISTER_BYTES;

/** Intel SDM Vol. 2A "FXSAVE—Save x87 FPU, MMX Technology, and SSE State". */
function fxsave(e: Builder, destination: Operand, format: Format): void {
  e.block.align(destination, FXSAVE_ALIGNMENT);
  putX87(e, format);
  putSse(e, format);
  e.block.store(destination, 0, xmmEnd(format));
}

/** Intel SDM Vol. 2A "FXRSTOR—Restore x87 FPU, MMX, XMM, and MXCSR State". */
function fxrstor(e: Builder, source: Operand, format: Format): void {
  e.block.align(source, FXSAVE_ALIGNMENT);
  e.block.load(source, 0, xmmEnd(format));
  e.float.writeControl(e.block.get(AREA.mxcsr, 32));
  getX87(e, format);
  getXmm(e, format);
}

const RAX = 0;
const RDX = 2;

/** The state components that EDX:EAX asks for, of those that XCR0 has: the requested-feature bitmap. */
function requested(e: Builder): Value {
  const high = e.shift('shl', e.zeroExtend(e.readRegister(RDX, 32), 64), e.constant(8, 32));
  const mask = e.binary('or', high, e.zeroExtend(e.readRegister(RAX, 32), 64));
  return e.binary('and', mask, e.enabledFeatures());
}

function has(e: Builder, bitmap: Value, component: number | bigint): Value {
  return e.compare('ne', e.binary('and', bitmap, e.constant(64, component)), e.constant(64, 0));
}

/** Intel SDM Vol. 2D "XSAVE—Save Processor Extended States", "XSAVEOPT—Save Processor Extended States Optimized", "XSAVEC—Save Processor Extended States With Compaction". */
function xsave(e: Builder, destination: Operand, format: Format, compacts: boolean): void {
  const { block } = e;
  block.align(destination, XSAVE_ALIGNMENT);
  const wanted = requested(e);
  putHeader(e, destination, wanted, compacts);
  putX87(e, format);
  putSse(e, format);
  // First, because it is on the second page, if there is one: what faults there has written nothing before it.
  block.store(destination, HEADER.stateBv, compacts ? 16 : 8);
  e.if(has(e, wanted, COMPONENT.x87), () => {
    block.store(destination, 0, AREA.mxcsr);
    block.store(destination, AREA.x87, AREA.xmm - AREA.x87);
  });
  e.if(has(e, wanted, COMPONENT.sse), () => {
    block.store(destination, AREA.mxcsr, AREA.x87 - AREA.mxcsr);
    block.store(destination, AREA.xmm, xmmEnd(format) - AREA.xmm);
  });
}

/** XSTATE_BV keeps its other bits, unless compacted; then XCOMP_BV says what there is. */
function putHeader(e: Builder, destination: Operand, wanted: Value, compacts: boolean): void {
  const { block } = e;
  if (compacts) {
    block.put(HEADER.stateBv, wanted);
    block.put(HEADER.compactionBv, e.binary('or', wanted, e.constant(64, COMPACTED)));
    return;
  }
  block.load(destination, HEADER.stateBv, 8);
  block.put(HEADER.stateBv, e.binary('or', block.get(HEADER.stateBv, 64), wanted));
}

/** Intel SDM Vol. 2D "XRSTOR—Restore Processor Extended States", Vol. 1 §13.8 "Operation of XRSTOR". */
function xrstor(e: Builder, source: Operand, format: Format): void {
  const { block } = e;
  block.align(source, XSAVE_ALIGNMENT);
  block.load(source, 0, xmmEnd(format));
  block.load(source, HEADER.stateBv, HEADER_BYTES);
  checkHeader(e);
  const wanted = requested(e);
  const present = block.get(HEADER.stateBv, 64);
  const restoreMxcsr = () => e.float.writeControl(block.get(AREA.mxcsr, 32));
  const isCompacted = has(e, block.get(HEADER.compactionBv, 64), COMPACTED);
  // The only thing that may still fault comes first: MXCSR, which the standard format has whatever XSTATE_BV says.
  e.if(has(e, wanted, COMPONENT.sse), () => {
    const isInitial = e.binary('and', isCompacted, e.not(has(e, present, COMPONENT.sse)));
    e.if(isInitial, () => e.float.writeControl(e.constant(32, MXCSR_INITIAL)), restoreMxcsr);
  });
  const restore = (component: number, get: () => void, clear: () => void) =>
    e.if(has(e, wanted, component), () => e.if(has(e, present, component), get, clear));
  restore(
    COMPONENT.x87,
    () => getX87(e, format),
    () => initializeX87(e),
  );
  restore(
    COMPONENT.sse,
    () => getXmm(e, format),
    () => initializeXmm(e, format),
  );
}

/** Raises #GP if there is a state component that XCR0 or XCOMP_BV has not, or anything where zeros must be (Vol. 1 §13.8.1, §13.8.2). */
function checkHeader(e: Builder): void {
  const { block } = e;
  const without = (a: Value, b: Value) => e.binary('and', a, e.not(b));
  const or = (a: Value, b: Value) => e.binary('or', a, b);
  const stateBv = block.get(HEADER.stateBv, 64);
  const compactionBv = block.get(HEADER.compactionBv, 64);
  const components = e.binary('and', compactionBv, e.constant(64, COMPACTED - 1n));
  const enabled = e.enabledFeatures();
  const first = block.get(HEADER.reserved, 64);
  let rest = first;
  for (let place: number = HEADER.reserved + 8; place < HEADER.end; place += 8)
    rest = or(rest, block.get(place, 64));
  const standard = or(or(without(stateBv, enabled), compactionBv), first);
  const compacted = or(or(without(stateBv, components), without(components, enabled)), rest);
  const wrong = e.select(has(e, compactionBv, COMPACTED), compacted, standard);
  e.if(e.compare('ne', wrong, e.constant(64, 0)), () => e.raise('GP'));
}

interface Row {
  readonly mnemonic: string;
  readonly notation: string;
  readonly feature: Feature;
  readonly unit: 'x87' | 'xsave';
  readonly semantics: (e: Builder, operand: Operand, format: Format) => void;
}

/** `FXSAVE64 m512byte`, and `FXSAVE m512byte` in and out of 64-bit mode. */
function forms({ mnemonic, notation, feature, unit, semantics }: Row): readonly Instruction[] {
  const form = (name: string, format: Format, prefix: string, mode: typeof only64 | typeof not64) =>
    instruction(name, {
      encodings: [enc('M', `NP ${prefix}${notation}`, address('m8'), mode)],
      ...{ feature, unit },
      semantics: (e, operand) => semantics(e, operand!, format),
    });
  return [
    form(`${mnemonic}64`, { hasWidePointers: true, xmmRegisters: 16 }, 'REX.W ', only64),
    form(mnemonic, { hasWidePointers: false, xmmRegisters: 16 }, '', only64),
    form(mnemonic, { hasWidePointers: false, xmmRegisters: 8 }, '', not64),
  ];
}

const saves =
  (compacts: boolean): Row['semantics'] =>
  (e, operand, format) =>
    xsave(e, operand, format, compacts);

const ROWS: readonly Row[] = [
  { mnemonic: 'FXSAVE', notation: '0F AE /0', feature: 'FXSR', unit: 'x87', semantics: fxsave },
  { mnemonic: 'FXRSTOR', notation: '0F AE /1', feature: 'FXSR', unit: 'x87', semantics: fxrstor },
  { mnemonic: 'XSAVE', notation: '0F AE /4', feature: 'XSAVE', unit: 'xsave', semantics: saves(false) },
  { mnemonic: 'XRSTOR', notation: '0F AE /5', feature: 'XSAVE', unit: 'xsave', semantics: xrstor },
  { mnemonic: 'XSAVEOPT', notation: '0F AE /6', feature: 'XSAVEOPT', unit: 'xsave', semantics: saves(false) },
  { mnemonic: 'XSAVEC', notation: '0F C7 /4', feature: 'XSAVEC', unit: 'xsave', semantics: saves(true) },
];

export const EXTENDED_STATE: readonly Instruction[] = ROWS.flatMap(forms);
