/**
 * What has to be known about an instruction before it is run: just enough of the encoding (Intel SDM Vol. 2A §2.1
 * "Instruction Format for Protected Mode, Real-Address Mode, and Virtual-8086 Mode", §2.2.1 "REX Prefixes").
 */

/** Operand and address size, segments, LOCK, REPNE, REP. */
const LEGACY_PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

const PUSHF = 0x9c;
const POPF = 0x9d;
const IRET = 0xcf;
const MOV_TO_SEGMENT = 0x8e;
const POP_SS = 0x17;
const ESCAPE = 0x0f;
const LSS = 0xb2;
/** The reg field of MOV Sreg that means SS. */
const SS = 2;

/** Where the opcode starts. */
function opcodeOffset(code: Uint8Array, mode: 32 | 64): number {
  let offset = 0;
  while (LEGACY_PREFIXES.has(code[offset] ?? 0)) offset++;
  // One REX prefix counts, right before the opcode; several are an odd case that no case here needs.
  while (mode === 64 && (code[offset] ?? 0) >> 4 === 4) offset++;
  return offset;
}

/**
 * Instructions that a single step would falsify or take long over:
 *
 * - PUSHF would push the TF that makes the processor step;
 * - after a load of SS there is no debug exception, so a step would be two instructions (Intel SDM Vol. 3A §6.8.3
 *   "Masking Exceptions and Interrupts When Switching Stacks");
 * - with REP, one step is one iteration.
 */
export function needsBreakpoint(code: Uint8Array, mode: 32 | 64): boolean {
  const at = opcodeOffset(code, mode);
  const opcode = code[at];
  if (opcode === PUSHF) return true;
  if (opcode === MOV_TO_SEGMENT) return (((code[at + 1] ?? 0) >> 3) & 7) === SS;
  if (opcode === POP_SS) return mode === 32;
  if (opcode === ESCAPE) return code[at + 1] === LSS;
  return isRepeated(code, at) && isString(opcode);
}

function isRepeated(code: Uint8Array, end: number): boolean {
  return code.subarray(0, end).some((byte) => byte === 0xf2 || byte === 0xf3);
}

/** MOVS, CMPS, STOS, LODS, SCAS. */
function isString(opcode: number | undefined): boolean {
  return opcode !== undefined && ((opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf));
}

/** What code may read or write: nothing of it; x87, MMX and SSE; AVX and what came after it, too. */
export type FpuUse = 'none' | 'legacy' | 'extended';

/** Errs towards more. */
export function fpuUse(code: Uint8Array, mode: 32 | 64): FpuUse {
  return useOfOpcode(code, opcodeOffset(code, mode));
}

/** The same for several instructions, of which each byte may be an opcode. */
export function fpuUseOfBlock(code: Uint8Array): FpuUse {
  const uses = new Set(Array.from(code, (_, at) => useOfOpcode(code, at)));
  return uses.has('extended') ? 'extended' : uses.has('legacy') ? 'legacy' : 'none';
}

const VEX3 = 0xc4;
const VEX2 = 0xc5;
const EVEX = 0x62;
/** A prefix like VEX if its reg field is not 0, else POP. */
const XOP = 0x8f;
const FWAIT = 0x9b;

function useOfOpcode(code: Uint8Array, at: number): FpuUse {
  const opcode = code[at] ?? 0;
  const next = code[at + 1] ?? 0;
  if (opcode === VEX3 || opcode === VEX2 || opcode === EVEX) return 'extended';
  if (opcode === XOP) return (next & 0x38) === 0 ? 'none' : 'extended';
  if (opcode === ESCAPE) return useAfterEscape(next);
  return opcode === FWAIT || (opcode >= 0xd8 && opcode <= 0xdf) ? 'legacy' : 'none';
}

/** WRPKRU among others. */
const GROUP_7 = 0x01;
/** FXSAVE, XSAVE, XRSTOR. */
const GROUP_15 = 0xae;
/** XSAVEC among others. */
const GROUP_9 = 0xc7;

function useAfterEscape(opcode: number): FpuUse {
  if (opcode === GROUP_7 || opcode === GROUP_9 || opcode === GROUP_15) return 'extended';
  const isInteger =
    (opcode >= 0x40 && opcode <= 0x4f) || // CMOVcc
    (opcode >= 0x80 && opcode <= 0xc1) || // Jcc to XADD
    (opcode >= 0xc8 && opcode <= 0xcf); // BSWAP
  return isInteger ? 'none' : 'legacy';
}

/** POPF, IRET. */
export function loadsFlags(code: Uint8Array, mode: 32 | 64): boolean {
  const opcode = code[opcodeOffset(code, mode)];
  return opcode === POPF || opcode === IRET;
}

/** INT3, INT1, INT n: what may end in SIGTRAP by itself. */
export function mayTrap(code: Uint8Array, mode: 32 | 64): boolean {
  const opcode = code[opcodeOffset(code, mode)];
  return opcode === 0xcc || opcode === 0xf1 || opcode === 0xcd;
}

/** Jcc, LOOPcc, JRCXZ: what goes on at the next instruction or elsewhere. */
export function mayBranch(code: Uint8Array, mode: 32 | 64): boolean {
  const at = opcodeOffset(code, mode);
  const opcode = code[at] ?? 0;
  if (opcode === ESCAPE) return ((code[at + 1] ?? 0) & 0xf0) === 0x80;
  return (opcode & 0xf0) === 0x70 || (opcode & 0xfc) === 0xe0;
}
