/** A processor with 64 KiB of memory, descriptor tables and a TSS, for tests of what the system instructions do. */
import {
  GENERAL_REGISTER_NAMES,
  type GeneralRegisters,
  type Segment,
  type SpecialRegisters,
} from '@vireo/hypervisor';
import { GuestFault, VECTOR } from '../system/guest-fault.ts';
import type { LinearMemory, Processor } from '../system/processor.ts';

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

  #check(gva: bigint, lengthBytes: number, errorCode: number): void {
    if (gva < 0n || gva + BigInt(lengthBytes) > 0x10000n) throw new GuestFault(VECTOR.PF, errorCode, gva);
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
  const processor: Processor = { general, special, memory };
  return { memory, general, special, processor };
}
