/**
 * A vCPU's state in the engine's memory: one block each, whose layout is declared here once. Everything that code is
 * generated for finds its fields by these offsets.
 *
 * The blocks are in the first 64 KiB of memory, so that a decoded record holds the address of a register in 16 bits.
 */

interface Field {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** In the order in which they lie, each aligned to its size. */
const FIELDS = {
  /** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15. */
  general: 16 * 8,
  /** Always 0: the base, index or segment base that an address does not have. */
  zero: 8,
  /** Bases of ES, CS, SS, DS, FS, GS. */
  segmentBases: 6 * 8,
  /** The address of the instruction that is being decoded, or that raised something. */
  rip: 8,
  /** What the relative addresses of decoded records are relative to. */
  codeBase: 8,
  /** RFLAGS but for the status flags, which are in the next four (status-flags.ts). */
  otherFlags: 8,
  flagsResult: 8,
  flagsA: 8,
  flagsB: 8,
  /** Ones where the stack pointer has address bits: 16, 32 or 64 of them. */
  stackMask: 8,
  flagsKind: 4,
  /** Why the interpreter returned (exit-reason.ts). */
  exitReason: 4,
  /** The linear address of the access that faulted. */
  faultGva: 8,
  /** What kind of access it was. */
  faultAccess: 4,
  /** The address of the TLB in use. */
  tlb: 4,
  /** The address of the table of decoded code (code-table.ts). */
  codeTable: 4,
  /** Not 0: at its next jump the vCPU returns to the host, which has something for it. */
  pending: 4,
} as const;

export type FieldName = keyof typeof FIELDS;

function layOut(): Readonly<Record<FieldName, Field>> {
  let end = 0;
  const fields = Object.entries(FIELDS).map(([name, lengthBytes]) => {
    const alignment = Math.min(lengthBytes, 8);
    const offset = Math.ceil(end / alignment) * alignment;
    end = offset + lengthBytes;
    return [name, { offset, lengthBytes }];
  });
  return Object.fromEntries(fields) as Record<FieldName, Field>;
}

export const CPU_STATE = layOut();

/** The distance from one vCPU's block to the next. */
export const CPU_STATE_STRIDE_BYTES = 1024;

export const offsetOf = (name: FieldName): number => CPU_STATE[name].offset;
