/** Cases for x87 instructions: those of case-generator.ts, with a state of the x87 and numbers in memory. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { chooseCode, chooseState } from './case-generator.ts';
import { LAYOUT } from './native/address-space.ts';
import type { Random } from './random.ts';
import type { TestCase, TestCode, Window } from './test-case.ts';
import { setVector } from './vector-cases.ts';
import { FXSAVE } from './vector-state.ts';
import { areaAlignment } from './x87-features.ts';
import { type Number80, X87Operands } from './x87-operands.ts';

/** Long enough for an XSAVE area, mostly. */
const WINDOW: Window = { gva: LAYOUT.dataGva, lengthBytes: 1536 };
const INITIAL_CONTROL = 0x37f;
const MXCSR_INITIAL = 0x1f80;
const EXCEPTIONS = 0x3f;
const REGISTER_BYTES = 16;
const RAX = 0;
const RDX = 2;
/** Where FXSAVE has the last instruction: opcode, address, operand's address. */
const POINTERS = { opcode: 6, instruction: 8, data: 16 } as const;
const HEADER = { stateBv: 512, compactionBv: 520, reserved: 528, end: 576 } as const;

/** A case of an instruction that has to do with the x87. */
export type X87Case = TestCase & { readonly fxsave: Uint8Array };

export function generateX87(
  random: Random,
  variant: Variant,
): { readonly code: TestCode; readonly test: X87Case } {
  const code = chooseCode(random, variant, WINDOW);
  const base = chooseState(random, code);
  const operands = new X87Operands(random);
  const memory = base.memory.slice();
  const registers = base.registers.slice();
  // EDX:EAX chooses among x87 and SSE: other state components are the host's. Of none, processors may touch the area.
  if (variant.instruction.unit === 'xsave') {
    registers[RAX] = (registers[RAX]! & ~0xffff_ffffn) | BigInt(1 + random.below(3));
    registers[RDX] = registers[RDX]! & ~0xffff_ffffn;
  }
  const at = operandAddress(code, registers) - WINDOW.gva;
  if (at >= 0 && at < memory.length) fillOperand(random, operands, variant, memory, at);
  return { code, test: { ...base, registers, memory, fxsave: makeState(random, operands) } };
}

/** Where the memory operand is; -1: there is none. */
function operandAddress({ choice, code }: TestCode, registers: BigUint64Array): number {
  const { rm, addressBits } = choice;
  if (typeof rm === 'number') return -1;
  if (rm.ripRelative) return LAYOUT.codeGva + code.length + rm.displacement;
  const index = rm.index === undefined ? 0n : registers[rm.index]! << BigInt(rm.scale);
  const sum = (rm.base === undefined ? 0n : registers[rm.base]!) + index + BigInt(rm.displacement);
  return Number(BigInt.asUintN(addressBits, sum));
}

function fillOperand(
  random: Random,
  operands: X87Operands,
  variant: Variant,
  memory: Uint8Array,
  at: number,
): void {
  const { mnemonic } = variant.instruction;
  const bits = variant.encoding.operands[0]?.width;
  const isInteger = /^FI|^FBSTP|^FLDCW/.test(mnemonic);
  if (areaAlignment(variant)) put(memory, at, makeArea(random, operands, mnemonic));
  else if (/^F(LDENV|RSTOR)$/.test(mnemonic)) put(memory, at, makeEnvironment(random, operands, variant));
  else if (mnemonic === 'FLDCW') put(memory, at, bytesOf(BigInt(pickControl(random)), 2));
  else if (mnemonic === 'FBLD') put(memory, at, bytesOf(operands.decimal(), 10));
  else if (bits === 80) put(memory, at, bytesOfNumber(operands.number()));
  else if (!isInteger && (bits === 32 || bits === 64))
    put(memory, at, bytesOf(operands.float(bits), bits / 8));
  else put(memory, at, bytesOf(random.operand(), 8));
}

function put(memory: Uint8Array, at: number, bytes: Uint8Array): void {
  memory.set(bytes.subarray(0, memory.length - at), at);
}

function bytesOf(value: bigint, lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, at) => Number((value >> BigInt(at * 8)) & 0xffn));
}

const bytesOfNumber = ({ signExponent, significand }: Number80): Uint8Array =>
  bytesOf(significand | (BigInt(signExponent) << 64n), 10);

/** XMM registers and x87 registers that are not all in their initial state: processors know that, and XSAVE tells. */
function makeState(random: Random, operands: X87Operands): Uint8Array {
  const area = new Uint8Array(FXSAVE.lengthBytes);
  const view = new DataView(area.buffer);
  const control = pickControl(random);
  view.setUint16(FXSAVE.control, control, true);
  const status = pickStatus(random, control);
  view.setUint16(FXSAVE.status, status, true);
  view.setUint8(FXSAVE.tags, pickTags(random));
  // When the kernel runs something else, AMD's processors lose the pointers of others, and kernels lose their upper halves.
  if (status & ~control & EXCEPTIONS) setPointers(random, view);
  view.setUint32(FXSAVE.mxcsr, MXCSR_INITIAL | random.below(64), true);
  for (let place = 0; place < 8; place++)
    area.set(bytesOfNumber(operands.number()), FXSAVE.x87 + place * REGISTER_BYTES);
  for (let number = 0; number < 16; number++)
    setVector(view, FXSAVE.xmm + number * REGISTER_BYTES, (random.next() << 64n) | 1n);
  return area;
}

function setPointers(random: Random, view: DataView): void {
  view.setUint16(POINTERS.opcode, random.below(0x800), true);
  view.setBigUint64(POINTERS.instruction, BigInt(random.word()), true);
  view.setBigUint64(POINTERS.data, BigInt(random.word()), true);
}

/** Everything masked, mostly; any rounding and precision. */
function pickControl(random: Random): number {
  const modes = random.chance(3) ? INITIAL_CONTROL : (random.below(16) << 8) | 0x7f;
  return random.chance(3) ? (modes & ~0x3f) | random.below(64) : modes;
}

/** Any top and condition codes; now and then an exception is pending, or noted. */
function pickStatus(random: Random, control: number): number {
  const codes = random.word() & 0x4700;
  const top = random.below(8) << 11;
  if (random.chance(24)) return codes | top | random.below(128);
  return codes | top | (random.below(64) & control & (random.chance(2) ? 0x3f : 0));
}

/** One register is empty, which is room for a load; or all are filled, or none, or any. */
function pickTags(random: Random): number {
  switch (random.below(6)) {
    case 0:
      return 0xff;
    case 1:
      return random.below(256);
    case 2:
      return 0;
    default:
      return 0xff & ~(1 << random.below(8));
  }
}

/** An FXSAVE area with a header behind it, which is wrong now and then. */
function makeArea(random: Random, operands: X87Operands, mnemonic: string): Uint8Array {
  const area = new Uint8Array(HEADER.end);
  area.set(makeState(random, operands));
  const view = new DataView(area.buffer);
  if (random.chance(16)) view.setUint32(FXSAVE.mxcsr, 0x4_0000, true);
  const stateBv = random.chance(3) ? BigInt(random.below(4)) : 3n;
  view.setBigUint64(HEADER.stateBv, random.chance(16) ? stateBv | (1n << 40n) : stateBv, true);
  if (random.chance(3)) {
    const components = random.chance(2) ? 3n : BigInt(random.below(4));
    view.setBigUint64(HEADER.compactionBv, components | (1n << 63n), true);
  }
  if (mnemonic.startsWith('XRSTOR') && random.chance(16)) area[HEADER.reserved + random.below(48)] = 1;
  return area;
}

/** With fields of 2 or 4 bytes, and registers behind it. */
function makeEnvironment(random: Random, operands: X87Operands, { operandBits }: Variant): Uint8Array {
  const stride = operandBits === 16 ? 2 : 4;
  const bytes = random.bytes(7 * stride + 80);
  const control = pickControl(random);
  bytes.set(bytesOf(BigInt(control), 2), 0);
  bytes.set(bytesOf(BigInt(pickStatus(random, control)), 2), stride);
  for (let place = 0; place < 8; place++)
    bytes.set(bytesOfNumber(operands.number()), 7 * stride + place * 10);
  return bytes;
}
