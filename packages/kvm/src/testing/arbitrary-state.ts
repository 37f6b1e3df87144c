/** Arbitrary vCPU states, as far as the structures of KVM can carry them. */

import type {
  DebugRegisters,
  DescriptorTable,
  GeneralRegisters,
  Segment,
  SpecialRegisters,
  VcpuEvents,
} from '@vireo/hypervisor';
import { GENERAL_REGISTER_NAMES, SEGMENT_NAMES } from '@vireo/hypervisor';
import fc from 'fast-check';

export const U8 = fc.nat(0xff);
export const U16 = fc.nat(0xffff);
export const U32 = fc.nat(0xffff_ffff);
export const U64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const FLAG = fc.boolean();

/** As our own code makes objects: with a prototype, or strict comparisons find a difference. */
export function record<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

export function recordOf<K extends string, T>(
  names: readonly K[],
  value: fc.Arbitrary<T>,
): fc.Arbitrary<Record<K, T>> {
  return record<Record<K, T>>(
    Object.fromEntries(names.map((name) => [name, value])) as Record<K, fc.Arbitrary<T>>,
  );
}

export const REGISTERS: fc.Arbitrary<GeneralRegisters> = recordOf(
  [...GENERAL_REGISTER_NAMES, 'rip', 'rflags'],
  U64,
);

export const SEGMENT: fc.Arbitrary<Segment> = record({
  selector: U16,
  base: U64,
  limit: U32,
  type: fc.nat(15),
  nonSystem: FLAG,
  dpl: fc.nat(3),
  present: FLAG,
  available: FLAG,
  long: FLAG,
  defaultBig: FLAG,
  granularity: FLAG,
  unusable: FLAG,
});

const TABLE: fc.Arbitrary<DescriptorTable> = record({ base: U64, limit: U16 });

export const SPECIAL: fc.Arbitrary<SpecialRegisters> = fc
  .tuple(
    recordOf(SEGMENT_NAMES, SEGMENT),
    record({ gdt: TABLE, idt: TABLE }),
    recordOf(['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apicBase'], U64),
  )
  .map(([segments, tables, rest]) => ({ ...segments, ...tables, ...rest }));

export const EVENTS: fc.Arbitrary<VcpuEvents> = record({
  exception: record({
    pending: FLAG,
    injected: FLAG,
    vector: U8,
    errorCode: fc.option(U32),
    payload: fc.option(U64),
  }),
  interrupt: record({ injected: FLAG, vector: U8, soft: FLAG, shadow: fc.nat(3) }),
  nmi: record({ injected: FLAG, pending: FLAG, masked: FLAG }),
  sipiVector: U32,
  smi: record({ inSmm: FLAG, pending: FLAG, smmInsideNmi: FLAG, latchedInit: FLAG }),
  tripleFaultPending: FLAG,
});

export const DEBUG_REGISTERS: fc.Arbitrary<DebugRegisters> = record({
  addresses: fc.tuple(U64, U64, U64, U64),
  dr6: U64,
  dr7: U64,
});
