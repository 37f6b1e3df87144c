/**
 * A decoded instruction, as the interpreter runs it: 32 bytes, one after the other along a stretch of code. Addresses in
 * it are of one vCPU's state, so each vCPU decodes for itself.
 */
export const RECORD = {
  /** The handler's place in the table. 32 bits. */
  handler: 0,
  /** The address of the register that ModRM.reg or the opcode names. 16 bits, like the next three. */
  register: 4,
  /** The address of the register that ModRM.rm names. */
  rm: 6,
  base: 8,
  index: 10,
  /** How far the index is shifted. 8 bits. */
  scale: 12,
  /** The instruction's length in bytes. 8 bits. */
  lengthBytes: 13,
  /** The address of the segment's base. 16 bits. */
  segmentBase: 14,
  /** Signed, 32 bits. */
  displacement: 16,
  /** From the code base to the instruction. Signed, 32 bits. */
  ripDelta: 20,
  /** 64 bits, sign-extended. Of an x87 instruction: its opcode, as FXSAVE has it. */
  immediate: 24,
  /** The address of the register that VEX.vvvv names: in the upper part of an immediate, which has 8 bits with VEX. */
  vvvv: 30,
} as const;

export const RECORD_BYTES = 32;
