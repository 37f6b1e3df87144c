/** A C structure in memory, whose fields are set and read by their names in <linux/kvm.h>. */
import { KVM_LAYOUT, type KvmField } from './kvm-layout.ts';

/** The fields of one structure: `base` for `kvm_sregs.cs.base` is `cs.base`. */
export type FieldOf<S extends string> = KvmField extends infer K
  ? K extends `${S}.${infer Path}`
    ? Path
    : never
  : never;

export class CStruct<S extends string> {
  readonly bytes: Uint8Array;
  readonly #name: S;

  /** A zeroed structure, or one over bytes that are there. */
  constructor(name: S, memory: number | Uint8Array) {
    this.#name = name;
    this.bytes = typeof memory === 'number' ? new Uint8Array(memory) : memory;
  }

  set(field: FieldOf<S>, value: number | bigint | boolean): this {
    const { offset, sizeBytes } = this.#locate(field);
    for (let i = 0, rest = BigInt(value); i < sizeBytes; i++, rest >>= 8n) {
      this.bytes[offset + i] = Number(rest & 0xffn);
    }
    return this;
  }

  /** Unsigned. */
  get(field: FieldOf<S>): bigint {
    const { offset, sizeBytes } = this.#locate(field);
    let value = 0n;
    for (let i = sizeBytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[offset + i]!);
    return value;
  }

  #locate(field: FieldOf<S>): { offset: number; sizeBytes: number } {
    const [offset, sizeBytes] = KVM_LAYOUT[`${this.#name}.${field}` as KvmField];
    return { offset, sizeBytes };
  }
}
