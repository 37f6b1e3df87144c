/** The x87's arithmetic as a module of its own, with a memory for operands and results. */
import { assemblyBytes } from '../../testing/built-assembly.ts';

type Unary = (dst: number, a: number, control: number) => number;
type Binary = (dst: number, a: number, b: number, control: number) => number;
type Compare = (a: number, b: number, control: number) => number;

/** What assembly/float80/index.ts exports. */
export interface Float80Exports {
  readonly fadd: Binary;
  readonly fsub: Binary;
  readonly fmul: Binary;
  readonly fdiv: Binary;
  readonly fprem: Binary;
  readonly fprem1: Binary;
  readonly fscale: Binary;
  readonly fsqrt: Unary;
  readonly frndint: Unary;
  readonly fxtract: Binary;
  readonly fcom: Compare;
  readonly fucom: Compare;
  readonly fxam: (a: number) => number;
  readonly fldconst: (dst: number, index: number, control: number) => void;
  readonly fld32: Unary;
  readonly fld64: (dst: number, bits: bigint, control: number) => number;
  readonly widen32: (dst: number, bits: number) => number;
  readonly widen64: (dst: number, bits: bigint) => number;
  readonly fst32: Unary;
  readonly fst64: Unary;
  readonly fild: (dst: number, value: bigint) => void;
  readonly fist16: Unary;
  readonly fist32: Unary;
  readonly fist64: Unary;
  readonly fisttp16: Unary;
  readonly fisttp32: Unary;
  readonly fisttp64: Unary;
  readonly fbld: (dst: number, source: number) => void;
  readonly fbstp: Unary;
  readonly f2xm1: Unary;
  readonly fyl2x: Binary;
  readonly fyl2xp1: Binary;
  readonly fpatan: Binary;
  readonly fsin: Unary;
  readonly fcos: Unary;
  readonly fsincos: Binary;
  readonly fptan: Unary;
}

/** A value of the format: sign and exponent, significand. */
export interface Value {
  readonly top: number;
  readonly significand: bigint;
}

/** Slots of 16 bytes in the memory. */
export const SLOT = { a: 0x100, b: 0x110, result: 0x120, second: 0x130, widened: 0x140 } as const;

export const WITHHELD = 0x10000;
/** All exceptions masked, 64 bits, to nearest: what FNINIT sets. */
export const DEFAULT_CONTROL = 0x37f;

export class Float80Module {
  readonly exports: Float80Exports;
  readonly view: DataView;

  constructor(module: WebAssembly.Module) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    this.exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Float80Exports;
    this.view = new DataView(memory.buffer);
  }

  put(slot: number, { top, significand }: Value): void {
    this.view.setBigUint64(slot, significand, true);
    this.view.setUint16(slot + 8, top, true);
  }

  get(slot: number): Value {
    return { top: this.view.getUint16(slot + 8, true), significand: this.view.getBigUint64(slot, true) };
  }

  putBytes(slot: number, bytes: Uint8Array): void {
    bytes.forEach((byte, index) => {
      this.view.setUint8(slot + index, byte);
    });
  }

  getBytes(slot: number, length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, index) => this.view.getUint8(slot + index));
  }
}

export async function loadFloat80(): Promise<Float80Module> {
  return new Float80Module(new WebAssembly.Module(await assemblyBytes('float80')));
}
