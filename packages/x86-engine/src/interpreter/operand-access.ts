/** Reads and writes an instruction's operands where the record says they are. */
import { type Bits, bitsOf, type Operand, type OperandSpec, type RegisterClass } from '@vireo/x86-isa';
import { MMX_STRIDE_BYTES, offsetOf, XMM_STRIDE_BYTES } from '../cpu-state.ts';
import { EXIT } from '../exit-reason.ts';
import { RECORD } from '../record.ts';
import type { AtomicBits, Code, MemoryBits } from '../wasm/code.ts';
import { CONVERT, I32, I64 } from '../wasm/instructions.ts';
import { pushExtended, storeExtended } from './extended-value.ts';
import { RECORD_LOCAL, STATE_LOCAL } from './handler-type.ts';
import type { LockedFunctions } from './locked-functions.ts';
import { pushRaise } from './raise.ts';
import { addressBitsOf, type Variant } from './variants.ts';
import { typeOf, type WasmValue } from './wasm-value.ts';

/** Indices of functions that handlers call. */
export interface Memory {
  /** (state, record, linear address, bytes) → address in our memory, or 0 when it faulted. */
  readonly translateRead: number;
  readonly translateWrite: number;
  /** (state, record, address of the segment's base, offset, bytes) → the same, of an offset in a segment with a limit. */
  readonly segmentedRead: number;
  readonly segmentedWrite: number;
  /** (state, record, linear address) → exit reason: goes on there. */
  readonly goto: number;
  readonly locked: LockedFunctions;
}

interface AccessedOperand {
  readonly spec: OperandSpec;
  readonly source: OperandSpec['source'];
  readonly isMemory: boolean;
  readonly bits: Bits;
  /** Local variables: how far a memory operand is from where the record has it, */
  readonly offset?: number;
  /** its address, once it was asked for, */
  hostAddress?: number;
  /** and what a locked instruction has read there. */
  found?: number;
}

const REGISTERS: Partial<Record<RegisterClass, { offset: number; strideBytes: number }>> = {
  general: { offset: offsetOf('general'), strideBytes: 8 },
  xmm: { offset: offsetOf('xmm'), strideBytes: XMM_STRIDE_BYTES },
  mmx: { offset: offsetOf('x87'), strideBytes: MMX_STRIDE_BYTES },
};

/** Which field of a record names an operand's register. */
const REGISTER_FIELDS: Partial<Record<OperandSpec['source'], number>> = {
  rm: RECORD.rm,
  'rm-register': RECORD.rm,
  vvvv: RECORD.vvvv,
};

export class OperandAccess {
  readonly operands: readonly Operand[];
  readonly #code: Code;
  readonly #variant: Variant;
  readonly #memory: Memory;
  #linear: number | undefined;
  /** Where a locked instruction starts again. */
  #restart: number | undefined;

  constructor(code: Code, variant: Variant, memory: Memory) {
    this.#code = code;
    this.#variant = variant;
    this.#memory = memory;
    this.operands = variant.encoding.operands.map(
      (spec) =>
        ({
          spec,
          source: spec.source,
          isMemory: isMemory(spec, variant),
          bits: bitsOf(spec.width, variant.operandBits),
        }) satisfies AccessedOperand as unknown as Operand,
    );
  }

  read(operand: Operand): WasmValue {
    const { spec, bits } = accessed(operand);
    const width = scalar(bits);
    if (spec.source === 'immediate' || spec.source === 'relative' || spec.source === 'far-pointer')
      return this.#immediate(spec, width);
    if (!isMemory(spec, this.#variant)) {
      return this.#local(bits, () => {
        const offset = this.#registerBase(spec);
        this.#code.load(width, offset);
      });
    }
    const host = this.#host(operand, spec.access === 'read' ? 'read' : 'write');
    if (this.#restart !== undefined && spec.access === 'read-write') return this.#readLocked(operand, host);
    return this.#local(bits, () => {
      if (bits === 80) pushExtended(this.#code, () => this.#code.get(host));
      else this.#code.get(host).load(width);
    });
  }

  write(operand: Operand, value: WasmValue): void {
    const { spec, bits } = accessed(operand);
    if (isMemory(spec, this.#variant)) {
      const host = this.#host(operand, 'write');
      if (this.#restart !== undefined) this.#writeLocked(operand, host, value, this.#restart);
      else if (bits === 80) storeExtended(this.#code, () => this.#code.get(host), value.local);
      else this.#code.get(host).get(value.local).store(scalar(bits));
      return;
    }
    if (spec.registers === 'xmm' || spec.registers === 'mmx') {
      this.#writeVectorRegister(spec, value);
      return;
    }
    let offset = 0;
    this.writeRegister(
      () => {
        offset = this.#registerBase(spec);
      },
      value,
      () => offset,
    );
  }

  /** 32 bits clear the upper half; 8 and 16 leave the rest. `base` leaves an address on the stack. */
  writeRegister(base: () => void, { bits, local }: WasmValue, offset: number | (() => number)): void {
    base();
    this.#code.get(local);
    if (bits === 32) this.#code.op(CONVERT.i64ExtendI32U);
    this.#code.store(bits === 32 ? 64 : scalar(bits as Bits), typeof offset === 'number' ? offset : offset());
  }

  /** Leaves what is beyond the value's width. */
  #writeVectorRegister(spec: OperandSpec, { bits, local }: WasmValue): void {
    const offset = this.#registerBase(spec);
    this.#code.get(local).store(scalar(bits as Bits), offset);
    if (spec.registers !== 'mmx') return;
    // As an x87 register it becomes a NaN or infinity (Intel SDM Vol. 3A §12.2 "The MMX State and MMX Register Aliasing").
    this.#registerBase(spec);
    this.#code.i32(0xffff).store(16, offset + 8);
  }

  addressOf(operand: Operand): WasmValue {
    const { spec } = accessed(operand);
    if (!isMemory(spec, this.#variant)) throw new Error('only memory has an address');
    return { bits: 64, local: this.#effectiveAddress(accessed(operand)) };
  }

  /** What the record has in place of a register's address (record-writer.ts). */
  numberOf(operand: Operand): WasmValue {
    const { spec } = accessed(operand);
    const field = REGISTER_FIELDS[spec.source] ?? RECORD.register;
    return this.#local(64, () => this.#code.get(RECORD_LOCAL).load(16, field).op(CONVERT.i64ExtendI32U));
  }

  linearAddressOf(operand: Operand): WasmValue {
    const effective = this.#effectiveAddress(accessed(operand));
    return this.#local(64, () => {
      this.#code.get(effective).get(RECORD_LOCAL).load(16, RECORD.segmentBase).load(64).op(I64.add);
      this.#code.get(STATE_LOCAL).load(64, offsetOf('linearMask')).op(I64.and);
    });
  }

  displaced(operand: Operand, { local }: WasmValue): Operand {
    const { spec, source, isMemory, bits, offset } = accessed(operand);
    if (!isMemory || offset !== undefined) throw new Error('only memory can be displaced, and once');
    return { spec, source, isMemory, bits, offset: local } satisfies AccessedOperand as unknown as Operand;
  }

  /** Where a memory operand is in our memory, to be written. */
  hostAddress(operand: Operand): number {
    return this.#host(operand, 'write');
  }

  get isLocked(): boolean {
    return this.#restart !== undefined;
  }

  /**
   * Makes the instruction's code. With LOCK it starts again when another vCPU has written what it read, before it writes
   * that itself: nothing else must be changed by then. XCHG with memory locks always.
   */
  define(make: () => void): void {
    const { lock, encoding, rm } = this.#variant;
    const locks = lock || (encoding.locks && rm !== 'register');
    if (!locks) make();
    else
      this.#code.loop((label) => {
        this.#restart = label;
        make();
      });
  }

  #readLocked(operand: Operand, host: number): WasmValue {
    const target = accessed(operand);
    const bits = atomic(target.bits);
    const value = this.#local(bits, () => this.#code.get(host).call(this.#memory.locked.lockedRead[bits]));
    target.found = value.local;
    return value;
  }

  #writeLocked(operand: Operand, host: number, { local }: WasmValue, restart: number): void {
    const { found, bits } = accessed(operand);
    if (found === undefined) throw new Error('a locked operand is read before it is written');
    const code = this.#code;
    code.get(host).get(found).get(local).call(this.#memory.locked.lockedCompareExchange[atomic(bits)]);
    code.op(I32.eqz).if(() => code.branchTo(restart));
  }

  /** Leaves a register's address on the stack, but for the offset that is returned. */
  #registerBase({ source, implied, registers }: OperandSpec): number {
    const first = REGISTERS[registers];
    if (first === undefined) throw new Error(`${registers} registers are not written yet`);
    if (source === 'implied') {
      this.#code.get(STATE_LOCAL);
      return first.offset + implied! * first.strideBytes;
    }
    const field = REGISTER_FIELDS[source] ?? RECORD.register;
    this.#code.get(RECORD_LOCAL).load(16, field);
    return 0;
  }

  #immediate({ implied }: OperandSpec, bits: MemoryBits): WasmValue {
    return this.#local(bits, () => {
      if (implied === undefined) this.#code.get(RECORD_LOCAL).load(bits, RECORD.immediate);
      else if (bits === 64) this.#code.i64(BigInt(implied));
      else this.#code.i32(implied);
    });
  }

  #effectiveAddress({ source, offset }: AccessedOperand): number {
    const code = this.#code;
    const base = this.#effectiveBase(source);
    if (offset === undefined) return base;
    code.get(base).get(offset).op(I64.add);
    this.#pushAddressMask();
    const sum = code.local('i64');
    code.set(sum);
    return sum;
  }

  #effectiveBase(source: OperandSpec['source']): number {
    if (this.#linear !== undefined) return this.#linear;
    const code = this.#code;
    if (source === 'offset') code.get(RECORD_LOCAL).load(64, RECORD.immediate);
    else this.#pushSum();
    this.#pushAddressMask();
    this.#linear = code.local('i64');
    code.set(this.#linear);
    return this.#linear;
  }

  /** Base, index and displacement. */
  #pushSum(): void {
    const code = this.#code;
    const viaRecord = (field: number) => code.get(RECORD_LOCAL).load(16, field).load(64);
    viaRecord(RECORD.base);
    viaRecord(RECORD.index);
    code.get(RECORD_LOCAL).load(8, RECORD.scale).op(CONVERT.i64ExtendI32U, I64.shl, I64.add);
    code.get(RECORD_LOCAL).load(32, RECORD.displacement).op(CONVERT.i64ExtendI32S, I64.add);
  }

  /** An effective address is as wide as the address size says (Intel SDM Vol. 1 §3.3.7 "Address Calculations in 64-Bit Mode"). */
  #pushAddressMask(): void {
    const { rm } = this.#variant;
    if (rm === 'memory32') this.#code.i64(0xffffffffn).op(I64.and);
    if (rm === 'memory16') this.#code.i64(0xffffn).op(I64.and);
  }

  /** Where a memory operand is in our memory; leaves the handler when the access faults. */
  #host(operand: Operand, access: 'read' | 'write'): number {
    const target = accessed(operand);
    if (target.hostAddress !== undefined) return target.hostAddress;
    const effective = this.#effectiveAddress(target);
    const lengthBytes = target.bits / 8;
    const pushSegment = () => this.#code.get(RECORD_LOCAL).load(16, RECORD.segmentBase);
    if (target.spec.aligned) this.#checkAlignment(lengthBytes, effective, pushSegment);
    target.hostAddress = this.translate(access, lengthBytes, effective, pushSegment);
    return target.hostAddress;
  }

  /** Leaves a memory operand's linear address on the stack. */
  pushLinear(operand: Operand): void {
    const effective = this.#effectiveAddress(accessed(operand));
    this.#code.get(effective).get(RECORD_LOCAL).load(16, RECORD.segmentBase).load(64).op(I64.add);
    this.#code.get(STATE_LOCAL).load(64, offsetOf('linearMask')).op(I64.and);
  }

  #checkAlignment(lengthBytes: number, effective: number, pushSegment: () => void): void {
    const code = this.#code;
    code.get(effective);
    pushSegment();
    code
      .load(64)
      .op(I64.add, CONVERT.i32WrapI64)
      .i32(lengthBytes - 1)
      .op(I32.and);
    code.if(() => pushRaise(code, 'GP'));
  }

  /**
   * The same for an offset, in a local variable, in the segment whose base's address `pushSegment` leaves on the stack.
   * With addresses of 64 bits a segment has no limit.
   */
  translate(access: 'read' | 'write', lengthBytes: number, offset: number, pushSegment: () => void): number {
    const code = this.#code;
    const { translateRead, translateWrite, segmentedRead, segmentedWrite } = this.#memory;
    code.get(STATE_LOCAL).get(RECORD_LOCAL);
    if (addressBitsOf(this.#variant) === 64) {
      code.get(offset);
      pushSegment();
      code.load(64).op(I64.add).i32(lengthBytes);
      code.call(access === 'read' ? translateRead : translateWrite);
    } else {
      pushSegment();
      code
        .get(offset)
        .i32(lengthBytes)
        .call(access === 'read' ? segmentedRead : segmentedWrite);
    }
    return this.hostOrFault();
  }

  /** Keeps the address in our memory that is on the stack; leaves the handler when it is 0. */
  hostOrFault(): number {
    const code = this.#code;
    const host = code.local('i32');
    code.tee(host).op(I32.eqz);
    code.if(() => code.i32(EXIT.memoryFault).return());
    return host;
  }

  #local(bits: Bits, make: () => void): WasmValue {
    make();
    const local = this.#code.local(typeOf(bits));
    this.#code.set(local);
    return { bits, local };
  }
}

const accessed = (operand: Operand): AccessedOperand => operand as unknown as AccessedOperand;

/** Values of 80 bits are in vectors. */
function scalar(bits: Bits): MemoryBits {
  return bits === 80 ? 128 : bits;
}

function isMemory({ source }: OperandSpec, { rm }: Variant): boolean {
  if (source === 'offset' || source === 'rm-memory' || source === 'implied-memory') return true;
  return source === 'rm' && rm !== 'register';
}

function atomic(bits: Bits): AtomicBits {
  if (bits === 80 || bits === 128) throw new Error(`no atomic access of ${bits} bits`);
  return bits;
}
