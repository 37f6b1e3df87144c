/** GDTR and IDTR (Intel SDM Vol. 2A "LGDT/LIDT—Load Global/Interrupt Descriptor Table Register", Vol. 2B "SGDT", "SIDT"). */
import { generalProtection } from './guest-fault.ts';
import { requireSupervisor, requireUserModeInstructions } from './privilege-checks.ts';
import { accessPrivilege, is64BitMode, isCanonical } from './processor.ts';
import type { Operation, Operations } from './system-processor.ts';

const BASE_24_BITS = 0xff_ffffn;

/** A limit of 2 bytes, then the base: 8 bytes in 64-bit mode, elsewhere 4, of which 16-bit operands leave the last out. */
const load =
  (name: 'gdt' | 'idt'): Operation =>
  (processor, { a, operandBits }) => {
    requireSupervisor(processor);
    const { memory, special } = processor;
    const privilege = accessPrivilege(processor);
    const limit = Number(memory.read(a, 2, privilege));
    const all = memory.read(BigInt.asUintN(64, a + 2n), is64BitMode(processor) ? 8 : 4, privilege);
    const base = operandBits === 16 ? all & BASE_24_BITS : all;
    if (!isCanonical(base)) throw generalProtection();
    special[name] = { base, limit };
  };

/** Stores all of the base, with 16-bit operands too. */
const store =
  (name: 'gdt' | 'idt'): Operation =>
  (processor, { a }) => {
    requireUserModeInstructions(processor);
    const { memory, special } = processor;
    const privilege = accessPrivilege(processor);
    const baseBytes = is64BitMode(processor) ? 8 : 4;
    const { base, limit } = special[name];
    memory.check(a, 2 + baseBytes, 'write', privilege);
    // By words: alignment checks see no wider ones, for the base never is where its size wants it.
    const words = (BigInt.asUintN(baseBytes * 8, base) << 16n) | BigInt(limit & 0xffff);
    for (let at = 0n; at < 2 + baseBytes; at += 2n)
      memory.write(BigInt.asUintN(64, a + at), 2, BigInt.asUintN(16, words >> (at * 8n)), privilege);
  };

export const DESCRIPTOR_TABLES = {
  ...{ loadGdt: load('gdt'), loadIdt: load('idt') },
  ...{ storeGdt: store('gdt'), storeIdt: store('idt') },
} satisfies Partial<Operations>;
