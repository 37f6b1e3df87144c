/** States for vector instructions: those of case-generator.ts, with vector registers and MXCSR. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { chooseState } from './case-generator.ts';
import { LAYOUT } from './native/address-space.ts';
import { overriddenBase } from './prefixes.ts';
import type { Random } from './random.ts';
import type { TestCase, TestCode, Window } from './test-case.ts';
import { type Style, VectorOperands } from './vector-operands.ts';
import { FXSAVE } from './vector-state.ts';

const MXCSR_INITIAL = 0x1f80;
const PRECISION_FLAG = 0x20;
const MASKS = 0x1f80;
/** What a program may set that every processor has: all but misaligned exceptions, which is AMD's. */
const MXCSR_SETTABLE = 0xffff;
const VECTOR_BYTES = 16;
const RDI = 7;

export function chooseVectorState(random: Random, code: TestCode): TestCase {
  const { variant, window } = code;
  const base = chooseState(random, code);
  const operands = new VectorOperands(random);
  const styles = stylesOf(variant.instruction.mnemonic);
  const pick = () => operands.vector(random.chance(8) ? 'integer' : random.pick(styles));
  const fxsave = new Uint8Array(FXSAVE.lengthBytes);
  const view = new DataView(fxsave.buffer);
  setX87(random, view);
  view.setUint32(FXSAVE.mxcsr, pickMxcsr(random), true);
  for (let number = 0; number < 8; number++)
    view.setBigUint64(FXSAVE.x87 + number * VECTOR_BYTES, BigInt.asUintN(64, pick()), true);
  for (let number = 0; number < 16; number++) setVector(view, FXSAVE.xmm + number * VECTOR_BYTES, pick());
  const memory = base.memory.slice();
  const data = new DataView(memory.buffer);
  for (let at = 0; at < memory.length; at += VECTOR_BYTES) setVector(data, at, pick());
  prepare(random, variant, data);
  const registers = base.registers.slice();
  if (variant.instruction.mnemonic.startsWith('MASKMOV')) {
    const base = overriddenBase(code.choice.segment, code.segmentBases);
    registers[RDI] = maskedTarget(random, window) - BigInt(base);
  }
  return { ...base, registers, memory, fxsave };
}

/** The x87 registers' state may be anything when MMX begins; sometimes an exception waits, which is #MF. */
function setX87(random: Random, view: DataView): void {
  const isPending = random.chance(32);
  view.setUint16(FXSAVE.control, isPending ? 0x037e : 0x037f, true);
  view.setUint16(FXSAVE.status, (random.below(8) << 11) | (isPending ? 0x8081 : 0), true);
  view.setUint8(FXSAVE.tags, random.below(256));
}

/** In the window, or so that only its first bytes or its last ones can be written. */
function maskedTarget(random: Random, window: Window): bigint {
  const inside = random.below(VECTOR_BYTES);
  switch (random.below(16)) {
    case 0:
      return BigInt(LAYOUT.unmappedGva - inside);
    case 1:
      return BigInt(LAYOUT.dataGva - inside);
    case 2:
      return BigInt(LAYOUT.readonlyGva - inside);
    default:
      return BigInt(window.gva + random.below(window.lengthBytes - VECTOR_BYTES + 1));
  }
}

export function setVector(view: DataView, offset: number, value: bigint): void {
  view.setBigUint64(offset, BigInt.asUintN(64, value), true);
  view.setBigUint64(offset + 8, value >> 64n, true);
}

function stylesOf(mnemonic: string): readonly Style[] {
  if (/^P|^MOV|^AES|^SHA/.test(mnemonic)) return ['integer'];
  if (mnemonic.includes('SI2S') || /DQ2P|PI2P/.test(mnemonic)) return ['integer'];
  if (/(PD|SD)(2|$)|PD2/.test(mnemonic)) return ['f64'];
  return ['f32'];
}

/** Mostly as it is after a reset, with or without PE; else anything that programs may set. */
function pickMxcsr(random: Random): number {
  const any = Number(random.next()) & MXCSR_SETTABLE;
  switch (random.below(8)) {
    case 0:
      return MXCSR_INITIAL;
    case 1:
      return MXCSR_INITIAL | PRECISION_FLAG;
    case 2:
      return MXCSR_INITIAL | (any & 0x3f);
    case 3:
      return any;
    case 4:
      // Rounding only.
      return MXCSR_INITIAL | (any & 0x6000);
    default:
      return any | MASKS;
  }
}

/** LDMXCSR's operand has reserved bits half of the time otherwise, and AMD's bit. */
function prepare(random: Random, { instruction: { mnemonic } }: Variant, data: DataView): void {
  if (mnemonic !== 'LDMXCSR') return;
  for (let at = 0; at < data.byteLength; at += 4) {
    const word = Number(random.next() & 0xffffn);
    data.setUint32(at, random.chance(8) ? word | 0x4_0000 : word, true);
  }
}
