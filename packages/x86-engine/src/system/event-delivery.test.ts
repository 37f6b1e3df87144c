import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  GENERAL_REGISTER_NAMES,
  type GeneralRegisters,
  type Segment,
  type SpecialRegisters,
} from '@vireo/hypervisor';
import { deliver, type GuestEvent } from './event-delivery.ts';
import { GuestFault, VECTOR } from './guest-fault.ts';
import { type LinearMemory, type Processor, privilegeLevel, RFLAGS } from './processor.ts';

const GDT = 0x1000n;
const IDT = 0x2000n;
const TSS = 0x4000n;
const HANDLER = 0x5000n;
const STACK = 0x9000n;
const USER_STACK = 0x7008n;

const KERNEL_CODE = 0x08;
const USER_CODE = 0x1b;
const KERNEL_DATA = 0x10;

/** 64 KiB; beyond them accesses are page faults. */
class Memory implements LinearMemory {
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

const flat = (part: Partial<Segment>): Segment => ({
  ...{ selector: 0, base: 0n, limit: 0xffffffff, type: 3, nonSystem: true, dpl: 0, present: true },
  ...{ available: false, long: false, defaultBig: true, granularity: true, unusable: false },
  ...part,
});

const codeDescriptor = (dpl: number, flags: number) =>
  0x00_0f_9b_00_0000_ffffn | (BigInt(dpl) << 45n) | (BigInt(flags) << 52n);
const LONG = 0xa;
const BIG = 0xc;

function machine(mode: 'long' | 'protected' | 'real', cpl: 0 | 3 = 0) {
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
  const processor: Processor = { general, special, memory };
  return { memory, general, special, processor };
}

function setGate(
  memory: Memory,
  vector: number,
  isLong: boolean,
  part: { type?: number; dpl?: number; ist?: number; selector?: number; present?: boolean } = {},
): void {
  const { type = 14, dpl = 0, ist = 0, selector = KERNEL_CODE, present = true } = part;
  const low =
    (HANDLER & 0xffffn) |
    (BigInt(selector) << 16n) |
    (BigInt(ist) << 32n) |
    (BigInt(type) << 40n) |
    (BigInt(dpl) << 45n) |
    (BigInt(present) << 47n);
  memory.write(IDT + BigInt(vector * (isLong ? 16 : 8)), 8, low);
}

const external = (vector: number): GuestEvent => ({ vector, source: 'external' });
const fault = (vector: number, errorCode?: number): GuestEvent => ({
  ...{ vector, source: 'exception' },
  ...(errorCode === undefined ? {} : { errorCode }),
});
const stackOf = (memory: Memory, rsp: bigint, count: number, lengthBytes: 2 | 4 | 8 = 8) =>
  Array.from({ length: count }, (_, at) => memory.read(rsp + BigInt(at * lengthBytes), lengthBytes));

describe('long mode', () => {
  test('an interrupt of the kernel: on its stack, aligned to 16 bytes, with interrupts off', () => {
    const { memory, general, processor } = machine('long');
    setGate(memory, 0x40, true);
    assert.equal(deliver(processor, external(0x40)), 'delivered');
    assert.equal(general.rip, HANDLER);
    assert.equal(general.rsp, 0x8000n - 40n);
    assert.deepEqual(stackOf(memory, general.rsp, 5), [0x1234n, 8n, 0x202n, 0x8008n, 0x10n]);
    assert.equal(general.rflags & RFLAGS.IF, 0n);
  });

  test('from user mode: the stack of the TSS, SS null, and the error code last', () => {
    const { memory, general, special, processor } = machine('long', 3);
    memory.write(TSS + 4n, 8, STACK);
    setGate(memory, VECTOR.GP, true, { type: 15 });
    assert.equal(deliver(processor, fault(VECTOR.GP, 0x18)), 'delivered');
    assert.equal(general.rsp, STACK - 48n);
    assert.deepEqual(stackOf(memory, general.rsp, 6), [
      0x18n,
      0x1234n,
      0x1bn,
      0x202n | RFLAGS.RF,
      USER_STACK,
      0x23n,
    ]);
    assert.deepEqual([special.ss.selector, privilegeLevel(processor)], [0, 0]);
    assert.notEqual(general.rflags & RFLAGS.IF, 0n, 'a trap gate leaves interrupts on');
  });

  test('an interrupt stack is taken from the same privilege, too', () => {
    const { memory, general, special, processor } = machine('long');
    memory.write(TSS + 36n + 16n, 8, STACK);
    setGate(memory, VECTOR.NMI, true, { ist: 3 });
    deliver(processor, external(VECTOR.NMI));
    assert.equal(general.rsp, STACK - 40n);
    assert.equal(special.ss.selector, KERNEL_DATA);
  });

  test('INT n needs a gate of its privilege; hardware does not', () => {
    const { memory, general, processor } = machine('long', 3);
    memory.write(TSS + 4n, 8, STACK);
    for (const vector of [0x80, VECTOR.GP]) setGate(memory, vector, true);
    deliver(processor, { vector: 0x80, source: 'software' });
    // #GP instead, whose error code names the gate, and not that it came from outside.
    assert.equal(stackOf(memory, general.rsp, 1)[0], BigInt(0x80 * 8 + 2));
  });

  test('what is wrong with the gate or the segment shows in vector and error code', () => {
    const cases: [string, Parameters<typeof setGate>[3], number, number][] = [
      ['no gate', { type: 0 }, VECTOR.GP, 0x40 * 8 + 3],
      ['not present', { present: false }, VECTOR.NP, 0x40 * 8 + 3],
      ['null segment', { selector: 0 }, VECTOR.GP, 1],
      ['a data segment', { selector: KERNEL_DATA }, VECTOR.GP, KERNEL_DATA + 1],
      ['beyond the GDT', { selector: 0x48 }, VECTOR.GP, 0x49],
    ];
    for (const [name, part, vector, errorCode] of cases) {
      const { memory, general, processor } = machine('long');
      for (const handler of [VECTOR.GP, VECTOR.NP]) setGate(memory, handler, true, { ist: handler - 10 });
      memory.write(TSS + 36n, 8, 0xa000n); // IST1: #NP
      memory.write(TSS + 36n + 16n, 8, 0xb000n); // IST3: #GP
      setGate(memory, 0x40, true, part);
      deliver(processor, external(0x40));
      assert.equal(general.rsp, (vector === VECTOR.GP ? 0xb000n : 0xa000n) - 48n, name);
      assert.equal(stackOf(memory, general.rsp, 1)[0], BigInt(errorCode), name);
    }
  });

  test('a fault in the delivery of a page fault is a double fault, one in that a triple fault', () => {
    const { memory, general, special, processor } = machine('long');
    general.rsp = 0x50_0000n;
    setGate(memory, VECTOR.PF, true);
    setGate(memory, VECTOR.DF, true, { ist: 1 });
    memory.write(TSS + 36n, 8, STACK);
    assert.equal(deliver(processor, fault(VECTOR.PF, 2)), 'delivered');
    assert.equal(stackOf(memory, general.rsp, 1)[0], 0n);
    assert.equal(special.cr2, 0x50_0000n - 8n);
    setGate(memory, VECTOR.DF, true, { present: false });
    general.rsp = 0x50_0000n;
    const before = { ...general };
    assert.equal(deliver(processor, fault(VECTOR.PF, 2)), 'triple-fault');
    assert.deepEqual(general, before);
  });

  test('a page fault in the delivery of an interrupt is a page fault', () => {
    const { memory, general, special, processor } = machine('long');
    general.rsp = 0x50_0000n;
    setGate(memory, 0x40, true);
    setGate(memory, VECTOR.PF, true, { ist: 1 });
    memory.write(TSS + 36n, 8, STACK);
    deliver(processor, external(0x40));
    assert.equal(stackOf(memory, general.rsp, 1)[0], 2n);
    assert.equal(special.cr2, 0x50_0000n - 8n);
  });
});

describe('protected mode', () => {
  test('a 32-bit gate from user mode: SS and ESP from the TSS, frame of 32 bits', () => {
    const { memory, general, special, processor } = machine('protected', 3);
    memory.write(TSS + 4n, 4, STACK);
    memory.write(TSS + 8n, 2, BigInt(KERNEL_DATA));
    setGate(memory, VECTOR.GP, false);
    deliver(processor, fault(VECTOR.GP, 0));
    assert.equal(general.rsp, STACK - 24n);
    assert.deepEqual(stackOf(memory, general.rsp, 6, 4), [0n, 0x1234n, 0x1bn, 0x202n, USER_STACK, 0x23n]);
    assert.equal(special.ss.selector, KERNEL_DATA);
  });

  test('a stack segment of the wrong privilege is #TS', () => {
    const { memory, general, processor } = machine('protected', 3);
    memory.write(TSS + 8n, 2, 0x1bn);
    setGate(memory, 0x40, false);
    setGate(memory, VECTOR.TS, false, { selector: USER_CODE });
    setGate(memory, VECTOR.GP, false, { selector: USER_CODE });
    deliver(processor, external(0x40));
    assert.equal(stackOf(memory, general.rsp, 1, 4)[0], 0x19n);
  });

  test('a 16-bit gate pushes 16 bits', () => {
    const { memory, general, processor } = machine('protected');
    setGate(memory, 0x40, false, { type: 6 });
    deliver(processor, external(0x40));
    assert.equal(general.rsp, 0x8008n - 6n);
    assert.deepEqual(stackOf(memory, general.rsp, 3, 2), [0x1234n, 8n, 0x202n]);
  });

  test('from virtual-8086 mode the data segments are pushed and cleared', () => {
    const { memory, general, special, processor } = machine('protected', 3);
    general.rflags |= RFLAGS.VM;
    memory.write(TSS + 4n, 4, STACK);
    memory.write(TSS + 8n, 2, BigInt(KERNEL_DATA));
    setGate(memory, 0x40, false);
    deliver(processor, external(0x40));
    assert.equal(general.rsp, STACK - 36n);
    assert.deepEqual([special.ds.selector, special.gs.unusable], [0, true]);
    assert.equal(general.rflags & RFLAGS.VM, 0n);
  });
});

describe('real mode', () => {
  test('three words on the stack, and the vector table', () => {
    const { memory, general, special, processor } = machine('real');
    special.idt = { base: 0n, limit: 0x3ff };
    special.ss = flat({ base: 0n });
    special.cs = flat({ selector: 0x123, base: 0x1230n });
    general.rsp = 0n;
    memory.write(0x40n * 4n, 4, 0x0200_0042n);
    deliver(processor, external(0x40));
    assert.deepEqual([general.rip, special.cs.selector, special.cs.base], [0x42n, 0x200, 0x2000n]);
    assert.equal(general.rsp, 0xfffan);
    assert.deepEqual(stackOf(memory, 0xfffan, 3, 2), [0x1234n, 0x123n, 0x202n]);
  });
});
