/**
 * A vCPU's state in the engine's memory: a block of two parts each, whose layout is declared here once. Everything that
 * code is generated for finds its fields by these offsets.
 *
 * What decoded records have addresses of, 16 bits each, is in the first 64 KiB of memory, and so close together that 64
 * vCPUs have room there. The other part of each is as far behind it in the next 64 KiB.
 */

interface Field {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** In the order in which they lie, each aligned to its size, up to that of a vector. */
const NEAR_FIELDS = {
  /** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15. */
  general: 16 * 8,
  /** Always 0: the base, index or segment base that an address does not have. */
  zero: 8,
  /** Bases of ES, CS, SS, DS, FS, GS as they count in the mode at hand, and of a segment that has none. */
  segmentBases: 7 * 8,
  /** Of the same, how many bytes may be read and written, from offset 0; 0 where only the slow way knows. */
  segmentReadable: 7 * 8,
  segmentWritable: 7 * 8,
  /** What the relative addresses of decoded records are relative to. */
  codeBase: 8,
  /** R0 to R7, whose low halves are MM0 to MM7: 80 bits each, 16 bytes apart. */
  x87: 8 * 16,
  /** XMM0 to XMM15, 32 bytes apart: room for the upper halves of YMM0 to YMM15. */
  xmm: 16 * 32,
} as const;

const FAR_FIELDS = {
  /** Ones where linear addresses have bits: 32 or 64 of them. */
  linearMask: 8,
  /** The last offset in the code segment; without a limit, the last there is. */
  codeLimit: 8,
  /** The address of the instruction that is being decoded, or that raised something. */
  rip: 8,
  /** RFLAGS but for the status flags, which are in the next four (status-flags.ts). */
  otherFlags: 8,
  flagsResult: 8,
  flagsA: 8,
  flagsB: 8,
  /** Ones where the stack pointer has address bits: 16, 32 or 64 of them. */
  stackMask: 8,
  flagsKind: 4,
  /** The address of the TLB in use. */
  tlb: 4,
  /** The address of the table of decoded code (code-table.ts). */
  codeTable: 4,
  /** Not 0: at its next jump the vCPU returns to the host, which has something for it. */
  pending: 4,
  /** How many jumps are made before the vCPU returns to the host to look at the time. */
  budget: 4,
  /** What entries of the code table are valid: those of these two generations. */
  localGeneration: 4,
  globalGeneration: 4,
  /** Not 0: the system's side has ended the instruction otherwise, and the handler returns. */
  leave: 4,
  /** What system operations may do without the host, and whether an interrupt waits for IF (interpreter/quick-operations.ts). */
  privileges: 4,
  interruptsWait: 4,
  /** What keeps interrupts away from the instruction at an address; elsewhere nothing does. */
  shadowRip: 8,
  shadow: 4,
  /** The vector of the exception that was raised, when that is why the interpreter returned. */
  exceptionVector: 4,
  /** Intel SDM Vol. 1 §10.2.3 "MXCSR Control and Status Register". */
  mxcsr: 4,
  /** Exceptions of the floating-point instruction at hand, at MXCSR's places: 0 between instructions. */
  floatFlags: 4,
  /** FCW, FSW, FTW, in 32 bits each. FTW is the abridged one, of a bit each: 1 is valid. */
  x87Control: 4,
  x87Status: 4,
  x87Tags: 4,
  /** Of functions that look at a vector's elements one after the other. */
  vectorScratch: 32,
  /** Intel SDM Vol. 1 §8.1.8 "x87 FPU Instruction and Data (Operand) Pointers": offsets, without their segments' selectors. */
  x87Instruction: 8,
  x87Data: 8,
  /** 11 bits (§8.1.9 "Last Instruction Opcode"). */
  x87Opcode: 4,
  /** 1 in real-address and virtual-8086 mode, whose x87 environment in memory is another (§8.1.10). */
  x87RealFormat: 4,
  /** What CR0 and CR4 have switched off (fpu-unavailable.ts). */
  fpuUnavailable: 4,
  /** Of ES, CS, SS, DS, FS and GS, 16 bits each. */
  selectors: 16,
  /** Intel SDM Vol. 1 §13.3 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features". */
  xcr0: 8,
  /** A number that an x87 instruction has from memory, or is about to store. */
  x87Operand: 16,
  /** What is loaded or stored as a whole: an XSAVE area's legacy region and header at most. */
  block: 576,
} as const;

export type FieldName = keyof typeof NEAR_FIELDS | keyof typeof FAR_FIELDS;

const MOST_ALIGNED_BYTES = 32;

/**
 * From the one part to the other: not whole pages, for processors take a load for one of what was just stored 4 KiB
 * away. What is so far from the flags are x87 registers.
 */
const FAR = 64 * 1024 + 320;

function layOut(group: Readonly<Record<string, number>>, start: number): readonly [string, Field][] {
  let end = start;
  return Object.entries(group).map(([name, lengthBytes]) => {
    const alignment = lengthBytes % MOST_ALIGNED_BYTES === 0 ? MOST_ALIGNED_BYTES : Math.min(lengthBytes, 8);
    const offset = Math.ceil(end / alignment) * alignment;
    end = offset + lengthBytes;
    return [name, { offset, lengthBytes }];
  });
}

export const CPU_STATE = Object.fromEntries([
  ...layOut(NEAR_FIELDS, 0),
  ...layOut(FAR_FIELDS, FAR),
]) as Readonly<Record<FieldName, Field>>;

/** The distance from one vCPU's block to the next: whole cache lines, which no two vCPUs share. */
export const CPU_STATE_STRIDE_BYTES = 960;
/** From a block's start to the end of its other part. */
export const CPU_STATE_SPAN_BYTES = FAR + CPU_STATE_STRIDE_BYTES;

export const XMM_STRIDE_BYTES = 32;
export const MMX_STRIDE_BYTES = 16;

export const offsetOf = (name: FieldName): number => CPU_STATE[name].offset;
