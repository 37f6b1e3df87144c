/**
 * The machine code of a volley: a loop in the traced process that takes one record after another, puts its registers
 * and memory in place, jumps to the tested instruction, and stores what that has left.
 *
 * It is written with one idea: between the tested instruction and the stores, nothing may need a register or change
 * a flag. Addresses relative to RIP need none, and MOV changes no flags (Intel SDM Vol. 2B "MOV—Move").
 */

import { SharedMemory } from './shared-memory.ts';

/** Far above what tested code is given, so that it does not come here. */
export const VOLLEY_GVA = 0x2000_0000_0000;
export const VOLLEY_CODE_BYTES = 4096;
const VARIABLES_GVA = VOLLEY_GVA + VOLLEY_CODE_BYTES;
export const VARIABLES_BYTES = 4096;
export const RECORDS_GVA = VARIABLES_GVA + VARIABLES_BYTES;

/** Quadwords that the loop keeps outside registers. */
export const VARIABLES = {
  /** The record in hand. */
  current: VARIABLES_GVA,
  /** Behind the last one. */
  end: VARIABLES_GVA + 8,
  savedR15: VARIABLES_GVA + 16,
  stackPointer: VARIABLES_GVA + 24,
  /** Where the tested instruction is. */
  entry: VARIABLES_GVA + 32,
} as const;
export const STACK_TOP_GVA = VARIABLES_GVA + VARIABLES_BYTES;

export const MAX_MEMORY_BYTES = 64;

/** Offsets within a record. FXSAVE areas are on 16 bytes (Intel SDM Vol. 1 §10.5.1 "FXSAVE Area"). */
export const RECORD = {
  registers: 0,
  rflags: 128,
  fxsave: 144,
  registersAfter: 656,
  rflagsAfter: 784,
  fxsaveAfter: 800,
  memory: 1312,
  memoryAfter: 1312 + MAX_MEMORY_BYTES,
  bytes: 1312 + 2 * MAX_MEMORY_BYTES,
} as const;

export interface MemoryRange {
  readonly address: number;
  readonly lengthBytes: number;
}

export interface VolleyShape {
  readonly usesFxsave: boolean;
  /** What is cleared before each record. */
  readonly cleared: readonly MemoryRange[];
  readonly memory: MemoryRange | undefined;
  readonly readBack: MemoryRange | undefined;
}

export const MAX_RECORDS = 1024;
const RECORDS_BYTES = MAX_RECORDS * RECORD.bytes; // whole pages

export function volleyMemory(): SharedMemory {
  return new SharedMemory('silicon-volley', [
    { gva: VOLLEY_GVA, lengthBytes: VOLLEY_CODE_BYTES, protection: 'read-execute' },
    { gva: VARIABLES_GVA, lengthBytes: VARIABLES_BYTES, protection: 'read-write' },
    { gva: RECORDS_GVA, lengthBytes: RECORDS_BYTES, protection: 'read-write' },
  ]);
}

const R15 = 15;

/** A loop, from VOLLEY_GVA on, to be started with DF clear. It ends with a breakpoint at `done`; the tested code must go to `save`. */
export interface VolleyCode {
  readonly bytes: readonly number[];
  readonly doneGva: number;
  readonly saveGva: number;
}

export function assembleVolley(shape: VolleyShape): VolleyCode {
  const code = new Assembler();
  code.ripRelative([0x4c, 0x8b, 0x3d], VARIABLES.current); // mov r15, [current]
  code.ripRelative([0x4c, 0x3b, 0x3d], VARIABLES.end); // cmp r15, [end]
  code.emit(0x75, 0x01); // jne over the breakpoint
  const doneGva = code.gva;
  code.emit(0xcc); // int3
  for (const range of shape.cleared) code.fillZero(range);
  if (shape.memory) {
    code.onRecord([0x49, 0x8d, 0xb7], RECORD.memory); // lea rsi, [r15 + memory]
    code.emit(0xbf, ...word(shape.memory.address)); // mov edi, address
    code.copy(shape.memory.lengthBytes);
  }
  if (shape.usesFxsave) code.onRecord([0x49, 0x0f, 0xae, 0x8f], RECORD.fxsave); // fxrstor64 [r15 + fxsave]
  code.ripRelative([0x48, 0x8b, 0x25], VARIABLES.stackPointer); // mov rsp, [stackPointer]
  code.onRecord([0x41, 0xff, 0xb7], RECORD.rflags); // push qword [r15 + rflags]
  code.emit(0x9d); // popfq
  for (let number = 0; number < 16; number++) code.moveRegister(0x8b, number, RECORD.registers); // R15 comes last
  code.ripRelative([0xff, 0x25], VARIABLES.entry); // jmp [entry]
  const saveGva = code.gva;
  emitSave(code, shape);
  return { bytes: code.bytes, doneGva, saveGva };
}

function emitSave(code: Assembler, { usesFxsave, readBack }: VolleyShape): void {
  code.ripRelative([0x4c, 0x89, 0x3d], VARIABLES.savedR15); // mov [savedR15], r15
  code.ripRelative([0x4c, 0x8b, 0x3d], VARIABLES.current); // mov r15, [current]
  for (let number = 0; number < R15; number++) code.moveRegister(0x89, number, RECORD.registersAfter);
  code.ripRelative([0x48, 0x8b, 0x05], VARIABLES.savedR15); // mov rax, [savedR15]
  code.onRecord([0x49, 0x89, 0x87], RECORD.registersAfter + 8 * R15); // mov [r15 + …], rax
  code.ripRelative([0x48, 0x8b, 0x25], VARIABLES.stackPointer);
  code.emit(0x9c); // pushfq
  code.onRecord([0x41, 0x8f, 0x87], RECORD.rflagsAfter); // pop qword [r15 + rflagsAfter]
  if (usesFxsave) code.onRecord([0x49, 0x0f, 0xae, 0x87], RECORD.fxsaveAfter); // fxsave64
  code.emit(0xfc); // cld
  if (readBack) {
    code.emit(0xbe, ...word(readBack.address)); // mov esi, address
    code.onRecord([0x49, 0x8d, 0xbf], RECORD.memoryAfter); // lea rdi, [r15 + memoryAfter]
    code.copy(readBack.lengthBytes);
  }
  code.emit(0x49, 0x81, 0xc7, ...word(RECORD.bytes)); // add r15, size of a record
  code.ripRelative([0x4c, 0x89, 0x3d], VARIABLES.current);
  code.ripRelative([0xe9], VOLLEY_GVA); // jmp to the start
}

class Assembler {
  readonly bytes: number[] = [];

  /** Where the next byte goes. */
  get gva(): number {
    return VOLLEY_GVA + this.bytes.length;
  }

  emit(...bytes: readonly number[]): void {
    this.bytes.push(...bytes);
  }

  /** An instruction that ends in a displacement from its own end. */
  ripRelative(opcode: readonly number[], target: number): void {
    this.emit(...opcode);
    this.emit(...word(target - (this.gva + 4)));
  }

  /** An instruction whose ModRM byte says [R15 + displacement of 32 bits]. */
  onRecord(opcode: readonly number[], displacement: number): void {
    this.emit(...opcode, ...word(displacement));
  }

  /** MOV between a register and its place in the record: 8B loads, 89 stores. */
  moveRegister(opcode: 0x8b | 0x89, number: number, base: number): void {
    const rex = 0x49 | ((number >> 3) << 2);
    const modrm = 0x87 | ((number & 7) << 3);
    this.onRecord([rex, opcode, modrm], base + 8 * number);
  }

  /** REP MOVSB, with RSI and RDI set. */
  copy(lengthBytes: number): void {
    this.emit(0xb9, ...word(lengthBytes)); // mov ecx, length
    this.emit(0xf3, 0xa4);
  }

  fillZero({ address, lengthBytes }: MemoryRange): void {
    this.emit(0x31, 0xc0); // xor eax, eax
    this.emit(0xbf, ...word(address)); // mov edi, address
    this.emit(0xb9, ...word(lengthBytes / 8)); // mov ecx, length
    this.emit(0xf3, 0x48, 0xab); // rep stosq
  }
}

/** 32 bits, little-endian. */
function word(value: number): [number, number, number, number] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >>> 24) & 0xff];
}

/** JMP [RIP + displacement], which is put behind the tested instruction. */
export function indirectJump(gva: number, pointerGva: number): Uint8Array {
  return Uint8Array.of(0xff, 0x25, ...word(pointerGva - (gva + 6)));
}
export const INDIRECT_JUMP_BYTES = 6;
