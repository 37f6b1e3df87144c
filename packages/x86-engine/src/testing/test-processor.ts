/** A processor with 64 KiB of memory, descriptor tables and a TSS, for tests of what the system instructions do. */
import {
  type DebugRegisters,
  GENERAL_REGISTER_NAMES,
  type GeneralRegisters,
  type Segment,
  type SpecialRegisters,
} from '@vireo/hypervisor';
import { GuestFault, VECTOR } from '../system/guest-fault.ts';
import type { LinearMemory } from '../system/processor.ts';
import type { CpuidResult, SystemProcessor } from '../system/system-processor.ts';

export const GDT = 0x1000n;
export const IDT = 0x2000n;
export const TSS = 0x4000n;
export const HANDLER = 0x5000n;
export const STACK = 0x9000n;
export const USER_STACK = 0x7008n;

export const KERNEL_CODE = 0x08;
export const USER_CODE = 0x1b;
export const KERNEL_DATA = 0x10;

/** 64 KiB; beyond them accesses are page faults. */
export class Memory implements LinearMemory {
  readonly #view = new DataView(new ArrayBuffer(0x10000));
  readonly writes: string[] = [];

  read(gva: bigint, lengthBytes: 1 | 2 | 4 | 8): bigint {
    this.#check(gva, lengthBytes, 0);
    let value = 0n;
    for (let at = 0; at < lengthBytes; at++)
      value |= BigInt(this.#view.getUint8(Number(gva) + at)) << BigInt(at * 8);
    return value;
  }

  write(gva: bigint, lengthBytes: 1 | 2 | 4 | 8, value: bigint, privilege = 'system'): void {
    this.#check(gva, lengthBytes, 2);
    this.writes.push(privilege);
    for (let at = 0; at < lengthBytes; at++)
      this.#view.setUint8(Number(gva) + at, Number((value >> BigInt(at * 8)) & 0xffn));
  }

  check(gva: bigint, lengthBytes: number, access: 'read' | 'write'): void {
    this.#check(gva, lengthBytes, access === 'write' ? 2 : 0);
  }

  #check(gva: bigint, lengthBytes: number, errorCode: number): void {
    if (gva < 0n || gva + BigInt(lengthBytes) > 0x10000n) throw new GuestFault(VECTOR.PF, errorCode, gva);
  }
}

const PHYSICAL_BITS_LEAF = 0x8000_0008;

/** What the engine does around the operations is noted down: `calls`. CPUID shows every feature; MSRs are what they were set to. */
export class TestProcessor implements SystemProcessor {
  readonly general: GeneralRegisters;
  readonly special: SpecialRegisters;
  readonly memory: Memory;
  readonly debug: DebugRegisters = { addresses: [0n, 0n, 0n, 0n], dr6: 0xffff_0ff0n, dr7: 0x400n };
  readonly tscAux = 7;
  readonly msrs = new Map<number, bigint>();
  readonly calls: string[] = [];
  xcr0 = 1n;
  features = -1;

  constructor(general: GeneralRegisters, special: SpecialRegisters, memory: Memory) {
    this.general = general;
    this.special = special;
    this.memory = memory;
  }

  readMsr(index: number): bigint | undefined {
    return this.msrs.get(index);
  }

  writeMsr(index: number, value: bigint): boolean {
    if (!this.msrs.has(index)) return false;
    this.setMsr(index, value);
    return true;
  }

  msr(index: number): bigint {
    return this.msrs.get(index) ?? 0n;
  }

  setMsr(index: number, value: bigint): void {
    this.msrs.set(index, value);
  }

  cpuid(leaf: number, subleaf: number): CpuidResult {
    if (leaf === PHYSICAL_BITS_LEAF) return { eax: 40, ebx: 0, ecx: 0, edx: 0 };
    if (leaf === 0xd) return { eax: 3, ebx: 0, ecx: 0, edx: 0 };
    const { features } = this;
    return { eax: subleaf, ebx: features, ecx: features, edx: features };
  }

  readTsc(): bigint {
    return 0x1_0000_0002n;
  }

  invalidateTranslations(which: 'all' | 'non-global'): void {
    this.calls.push(which);
  }

  invalidatePage(gva: bigint): void {
    this.calls.push(`page 0x${gva.toString(16)}`);
  }

  blockInterrupts(by: 'sti' | 'mov-ss'): void {
    this.calls.push(by);
  }

  halt(): void {
    this.calls.push('halt');
  }

  hypercall(): void {
    this.calls.push('hypercall');
  }
}

export const flat = (part: Partial<Segment>): Segment => ({
  ...{ selector: 0, base: 0n, limit: 0xffffffff, type: 3, nonSystem: true, dpl: 0, present: true },
  ...{ available: false, long: false, defaultBig: true, granularity: true, unusable: false },
  ...part,
});

export const codeDescriptor = (dpl: number, flags: number) =>
  0x00_0f_9b_00_0000_ffffn | (BigInt(dpl) << 45n) | (BigInt(flags) << 52n);
export const LONG = 0xa;
export const BIG = 0xc;

export function machine(mode: 'long' | 'protected' | 'real', cpl: 0 | 3 = 0) {
  const memory = new Memory();
  const zero = Object.fromEntries([...GENERAL_REGISTER_NAMES, 'rip', 'rflags'].map((name) => [name, 0n]));
  const general = {
    ...zero,
    rip: 0x1234n,
    rsp: cpl ? USER_STACK : 0x8008n,
    rflags: 0x202n,
  } as GeneralRegisters;
  const isLong = mode === 'long';
  const code = flat({
    ...{ selector: cpl ? USER_CODE : KERNEL_CODE, type: 11, dpl: cpl },
    ...{ long: isLong, defaultBig: !isLong },
  });
  const data = flat({ selector: cpl ? 0x23 : KERNEL_DATA, dpl: cpl });
  const special: SpecialRegisters = {
    ...{ cs: code, ss: data, ds: data, es: data, fs: data, gs: data, ldt: flat({ unusable: true }) },
    tr: flat({ selector: 0x28, base: TSS, limit: 0x67, type: 11, nonSystem: false }),
    ...{ gdt: { base: GDT, limit: 0x3f }, idt: { base: IDT, limit: 0xfff } },
    ...{ cr0: mode === 'real' ? 0n : 0x8000_0001n, cr2: 0n, cr3: 0n, cr4: 0x20n, cr8: 0n },
    ...{ efer: isLong ? 0x500n : 0n, apicBase: 0n },
  };
  const flags = isLong ? LONG : BIG;
  memory.write(GDT + 0x08n, 8, codeDescriptor(0, flags));
  memory.write(GDT + 0x10n, 8, 0x00_cf_93_00_0000_ffffn);
  memory.write(GDT + 0x18n, 8, codeDescriptor(3, flags));
  memory.write(GDT + 0x20n, 8, 0x00_cf_f3_00_0000_ffffn);
  const processor = new TestProcessor(general, special, memory);
  return { memory, general, special, processor };
}

/** For assert.throws: a fault of this vector and error code. */
export const faults =
  (vector: number, errorCode?: number) =>
  (error: unknown): boolean =>
    error instanceof GuestFault && error.vector === vector && error.errorCode === errorCode;
