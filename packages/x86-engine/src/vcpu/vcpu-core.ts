/**
 * A vCPU's parts, put together: its registers, its memory, its decoded code and the interpreter over them. It is what
 * system instructions work on, and what the interpreter calls for all that is not in its state.
 */
import type { CpuidEntry, DebugRegisters } from '@vireo/hypervisor/vcpu-state';
import { SYSTEM_OPERATIONS } from '@vireo/x86-isa';
import { CodeCache } from '../code-cache.ts';
import { MsrFile } from '../cpu-model/msr-file.ts';
import { CPU_STATE_SPAN_BYTES, offsetOf } from '../cpu-state.ts';
import { fpuUnavailableWord } from '../fpu-unavailable.ts';
import { OPERAND_BITS_SHIFT } from '../interpreter/interpreter-builder.ts';
import { instantiateInterpreter } from '../interpreter/interpreter-instance.ts';
import {
  fallThroughHandler,
  type InterpreterExports,
  type InterpreterImports,
  stopHandler,
} from '../interpreter/interpreter-module.ts';
import { RecordWriter } from '../interpreter/record-writer.ts';
import { listVariants, VariantIndex } from '../interpreter/variants.ts';
import type { VcpuInterrupts } from '../interrupts/vcpu-interrupts.ts';
import { checksAlignment, isMisaligned } from '../memory/alignment-check.ts';
import { DeviceAccess } from '../memory/device-access.ts';
import { LinearAccess } from '../memory/linear-access.ts';
import { type MemoryUnit, openMemoryUnit } from '../memory/memory-unit.ts';
import { PhysicalMemory } from '../memory/physical-memory.ts';
import { SlowAccess, type SlowAccessContext } from '../memory/slow-access.ts';
import { Translations } from '../memory/translation.ts';
import type { Rights } from '../memory/unit-numbers.ts';
import { type VcpuArea, vcpuArea } from '../memory-map.ts';
import { RECORD } from '../record.ts';
import { GuestFault, VECTOR } from '../system/guest-fault.ts';
import { OPERATIONS } from '../system/operations.ts';
import { is64BitMode, operatingMode, privilegeLevel, RFLAGS } from '../system/processor.ts';
import type { CpuidResult, SystemProcessor } from '../system/system-processor.ts';
import { ClockMsrs } from './clock-msrs.ts';
import { CpuSpecialRegisters, StateRegisters } from './cpu-registers.ts';
import { InnerBus } from './inner-bus.ts';
import { InstructionEnd } from './instruction-end.ts';
import {
  applySegments,
  applySelectors,
  codeBits,
  DATA_SEGMENTS,
  isInside,
  isReadable,
  isWritable,
  privilegesOf,
  setBase,
} from './mode.ts';
import { VcpuMsrHost } from './msr-host.ts';
import { NoApic } from './no-apic.ts';
import type { PortAccess, PortBytes } from './port-access.ts';
import { RecordOperands } from './record-operands.ts';
import { REQUEST, requestAll, VcpuControl } from './vcpu-control.ts';
import type { VcpuParts } from './vcpu-host.ts';

const VARIANTS = listVariants();
const CR4_SMAP = 1n << 21n;
const CR4_OSXSAVE = 1n << 18n;
const CPUID_OSXSAVE = 1 << 27;
const HYPERCALL_UNKNOWN = BigInt.asUintN(64, -1000n);
const SS = 2;

/** What the runner of a vCPU does for its system instructions. */
export interface RunnerHooks {
  readonly ports: PortAccess;
  halt(): void;
  blockInterrupts(by: 'sti' | 'mov-ss'): void;
  /** RFLAGS has been changed. */
  flagsChanged(changed: bigint): void;
  /** An access to a page that debug registers watch. */
  watched(gva: bigint, lengthBytes: number, isWrite: boolean): void;
  /** Before an operation; false when it is not to be done, and the guest left. */
  allows(operation: string, rip: bigint): boolean;
  /** After an operation that did not fault. */
  did(operation: string): void;
}

export class VcpuCore implements SystemProcessor, SlowAccessContext {
  readonly id: number;
  readonly area: VcpuArea;
  readonly state: DataView<SharedArrayBuffer>;
  readonly control: VcpuControl;
  readonly controls: readonly VcpuControl[];
  readonly interrupts: VcpuInterrupts | null;
  readonly general: StateRegisters;
  readonly special: CpuSpecialRegisters;
  readonly memory: LinearAccess;
  readonly physical: PhysicalMemory;
  readonly unit: MemoryUnit;
  readonly translations: Translations;
  readonly devices: DeviceAccess;
  readonly slow: SlowAccess;
  /** How often code was written that had been decoded. */
  #codeWrites = 0;
  readonly code: CodeCache;
  readonly end: InstructionEnd;
  readonly exports: InterpreterExports;
  readonly clock: ClockMsrs;
  readonly msrs: MsrFile;
  debug: DebugRegisters = { addresses: [0n, 0n, 0n, 0n], dr6: 0xffff_0ff0n, dr7: 0x400n };
  cpuidEntries: readonly CpuidEntry[] = [];
  /** What the runner does; set by it. */
  hooks: RunnerHooks | undefined;
  /** What an operation raised, and whether it left the guest without raising something. */
  fault: GuestFault | undefined;
  rights: Rights = 'supervisor';
  is64Bit = false;
  physicalAddressBits = 40;
  kernelGsBase = 0n;
  readonly #operands: RecordOperands;
  #record = 0;
  #leaves = false;
  #codeBits: 16 | 32 | 64 = 16;
  #codeLimit = 0;
  #checksAlignment = false;
  #paging = { cr0: -1n, cr3: -1n, cr4: -1n, efer: -1n };

  constructor(parts: VcpuParts) {
    const { id, controllers, memory } = parts;
    const buffer = memory.buffer as SharedArrayBuffer;
    this.id = id;
    this.area = vcpuArea(id);
    this.state = new DataView(buffer, this.area.state, CPU_STATE_SPAN_BYTES);
    this.controls = Array.from({ length: parts.vcpus }, (_, vcpu) => new VcpuControl(buffer, vcpu));
    this.control = this.controls[id]!;
    this.interrupts = controllers?.vcpu(id) ?? null;
    this.physical = new PhysicalMemory(buffer);
    this.unit = this.#openUnit(parts);
    this.translations = new Translations(this.unit, this.area, this.physical.view);
    this.devices = new DeviceAccess(
      this.physical,
      this.area.scratch,
      new InnerBus(this.interrupts, controllers),
    );
    this.slow = new SlowAccess(this.translations, this.devices, this);
    this.end = new InstructionEnd(this.physical.view, this.control, stopHandler(VARIANTS));
    this.exports = this.#instantiate(parts);
    this.general = new StateRegisters(this.state, () => this.exports.statusFlags(this.area.state));
    this.special = new CpuSpecialRegisters(this.interrupts ?? new NoApic());
    this.memory = new LinearAccess(this.physical, this.translations, {
      supervisorRights: () => this.#supervisorRights(),
      checksAlignment: () => this.#checksAlignment,
    });
    this.code = new CodeCache(this.area, this.physical, this.unit, {
      writer: new RecordWriter(buffer, this.area.state, new VariantIndex(VARIANTS)),
      fallThrough: fallThroughHandler(VARIANTS),
      onWritableCode: () => this.#dropWritable(),
    });
    this.#operands = new RecordOperands(this.physical.view, VARIANTS);
    this.clock = new ClockMsrs(buffer, { id, thread: parts.thread, unit: this.unit });
    this.msrs = new MsrFile(new VcpuMsrHost(this), {
      physicalAddressBits: this.physicalAddressBits,
      tscKhz: this.clock.tsc.khz,
    });
    this.general.onFlags = (changed) => this.#flagsChanged(changed);
    this.state.setUint32(offsetOf('codeTable'), this.area.codeTable, true);
    this.unit.refreshSlots();
  }

  /** Where the instruction of a record is. */
  ripOf(record: number): bigint {
    const delta = BigInt(this.physical.view.getInt32(record + RECORD.ripDelta, true));
    return this.state.getBigUint64(offsetOf('codeBase'), true) + delta;
  }

  /** Puts into the state what segments and control registers have become. */
  applyMode(): void {
    const { special } = this;
    special.modeChanged = false;
    const was64Bit = this.is64Bit;
    this.is64Bit = is64BitMode(this);
    if (this.is64Bit && was64Bit) this.applyBases();
    else applySegments(this.state, this);
    applySelectors(this.state, this.special);
    this.#applyCodeMode();
    this.#applyPaging();
    this.#applyRights();
  }

  /** Of FS and GS, in 64-bit mode. */
  applyBases(): void {
    setBase(this.state, DATA_SEGMENTS.indexOf('fs'), this.special.fs.base);
    setBase(this.state, DATA_SEGMENTS.indexOf('gs'), this.special.gs.base);
  }

  get modeBits(): 16 | 32 | 64 {
    return this.#codeBits;
  }

  /** Does what other threads ask for. */
  serveRequests(): void {
    const { bits, sequence } = this.control.takeRequests();
    if ((bits & REQUEST.translations) !== 0) {
      this.unit.refreshSlots();
      this.invalidateTranslations('all');
    }
    if ((bits & REQUEST.writing) !== 0) this.unit.empty();
    if ((bits & REQUEST.code) !== 0) this.unit.forgetCode(true);
    this.control.finish(sequence);
  }

  // SystemProcessor

  get xcr0(): bigint {
    return this.state.getBigUint64(offsetOf('xcr0'), true);
  }

  set xcr0(value: bigint) {
    this.state.setBigUint64(offsetOf('xcr0'), value, true);
  }

  get tscAux(): number {
    return Number(this.msr(0xc000_0103));
  }

  readTsc(): bigint {
    return this.clock.tsc.value;
  }

  readMsr(index: number): bigint | undefined {
    return this.msrs.read(index);
  }

  writeMsr(index: number, value: bigint): boolean {
    return this.msrs.write(index, value);
  }

  msr(index: number): bigint {
    return this.msrs.read(index) ?? 0n;
  }

  setMsr(index: number, value: bigint): void {
    this.msrs.hostWrite(index, value);
  }

  cpuid(leaf: number, subleaf: number): CpuidResult {
    const entry = this.cpuidEntries.find(
      (it) => it.leaf === leaf && (it.subleaf === null || it.subleaf === subleaf),
    );
    if (entry === undefined) return { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    if (leaf !== 1) return entry;
    const isEnabled = (this.special.cr4 & CR4_OSXSAVE) !== 0n;
    const ecx = isEnabled ? entry.ecx | CPUID_OSXSAVE : entry.ecx & ~CPUID_OSXSAVE;
    return { ...entry, ecx: ecx >>> 0 };
  }

  invalidateTranslations(which: 'all' | 'non-global'): void {
    if (which === 'all') this.unit.empty();
    else this.unit.emptyLocal();
    this.unit.forgetCode(which === 'all');
  }

  invalidatePage(gva: bigint): void {
    this.unit.dropPage(gva);
  }

  blockInterrupts(by: 'sti' | 'mov-ss'): void {
    this.hooks?.blockInterrupts(by);
  }

  halt(): void {
    this.hooks?.halt();
    this.#leaves = true;
  }

  hypercall(): void {
    this.general.rax = HYPERCALL_UNKNOWN;
  }

  // SlowAccessContext

  isOnStack(record: number): boolean {
    return this.#operands.isOnStack(record, this.area.state);
  }

  readsDestination(record: number): boolean {
    return this.#operands.readsDestination(record);
  }

  isMisaligned(record: number, gva: bigint, lengthBytes: number): boolean {
    return this.#checksAlignment && isMisaligned(gva, this.#operands.alignment(record, lengthBytes));
  }

  endAfter(record: number): void {
    this.end.after(record);
  }

  onWatched(record: number, gva: bigint, lengthBytes: number, isWrite: boolean): void {
    this.hooks?.watched(gva, lengthBytes, isWrite);
    this.end.after(record);
  }

  /** Stops behind the instruction whose operation is being done. */
  endAfterOperation(): void {
    if (this.#record !== 0) this.end.after(this.#record);
  }

  /** Leaves the guest when the operation at hand is done. */
  leaveAfterOperation(): void {
    this.#leaves = true;
  }

  /** The linear address of an offset in a segment. @throws GuestFault */
  linear(place: number, offset: bigint, lengthBytes: number, kind: 'read' | 'write'): bigint {
    const segment = this.special[DATA_SEGMENTS[place] ?? 'ds'];
    if (this.is64Bit)
      return BigInt.asUintN(64, offset + (place >= DATA_SEGMENTS.indexOf('fs') ? segment.base : 0n));
    const vector = place === SS ? VECTOR.SS : VECTOR.GP;
    if (!this.#mayAccess(place, kind) || !isInside(segment, offset, lengthBytes))
      throw new GuestFault(vector, 0);
    return BigInt.asUintN(32, segment.base + offset);
  }

  #mayAccess(place: number, kind: 'read' | 'write'): boolean {
    const mode = operatingMode(this);
    if (mode === 'real' || mode === 'virtual-8086') return true;
    const segment = this.special[DATA_SEGMENTS[place] ?? 'ds'];
    return kind === 'read' ? isReadable(segment) : isWritable(segment);
  }

  #openUnit({ memory, modules: { memoryUnit } }: VcpuParts): MemoryUnit {
    return openMemoryUnit(memoryUnit, this.area, {
      memory,
      slowRead: (_, record, gva, lengthBytes) => this.#access('read', record, gva, lengthBytes),
      slowWrite: (_, record, gva, lengthBytes) => this.#access('write', record, gva, lengthBytes),
      codeWritten: () => this.#codeWritten(),
      endAfter: (record) => this.end.after(record >>> 0),
    });
  }

  #instantiate({ memory, modules: { interpreter, float80 }, thread }: VcpuParts): InterpreterExports {
    const imports: InterpreterImports = {
      slowRead: this.unit.read,
      slowWrite: this.unit.write,
      findCode: this.unit.findCode,
      segmentRead: (...access) => this.#segmentAccess('read', ...access),
      segmentWrite: (...access) => this.#segmentAccess('write', ...access),
      random: () => thread.random(),
      system: (_, record, call, a, b) => this.#operate(record, call, a, b),
    };
    return instantiateInterpreter(interpreter, float80, { memory, ...imports });
  }

  #access(kind: 'read' | 'write', record: number, gva: bigint, lengthBytes: number): number {
    const codeWrites = this.#codeWrites;
    const at = this.slow.access(kind, record, gva, lengthBytes);
    // The instructions behind it may be what it writes: they are read again.
    if (this.#codeWrites !== codeWrites) this.end.after(record);
    if (at === 0) this.general.rip = this.ripOf(record);
    return at;
  }

  #segmentAccess(
    kind: 'read' | 'write',
    _state: number,
    record: number,
    segment: number,
    offset: bigint,
    lengthBytes: number,
  ): number {
    const place = (segment - this.area.state - offsetOf('segmentBases')) / 8;
    try {
      return this.#access(
        kind,
        record,
        this.linear(place, BigInt.asUintN(64, offset), lengthBytes, kind),
        lengthBytes,
      );
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      this.general.rip = this.ripOf(record);
      return this.slow.raise(error.vector, error.errorCode);
    }
  }

  /** A system operation; RIP is the next instruction's while it is done. */
  #operate(record: number, call: number, a: bigint, b: bigint): bigint {
    const name = SYSTEM_OPERATIONS[call & ((1 << OPERAND_BITS_SHIFT) - 1)]!;
    const operandBits = (call >>> OPERAND_BITS_SHIFT) as 16 | 32 | 64;
    const rip = this.ripOf(record);
    const length = BigInt(this.physical.view.getUint8(record + RECORD.lengthBytes));
    const next = BigInt.asUintN(this.#codeBits === 64 ? 64 : 32, rip + length);
    this.#record = record;
    this.#leaves = false;
    this.general.rip = next;
    let result = 0n;
    try {
      if (this.hooks?.allows(name, rip)) {
        result = this.#perform(name, record, rip, {
          ...{ a: BigInt.asUintN(64, a), b: BigInt.asUintN(64, b), operandBits },
        });
        this.hooks.did(name);
      } else this.#leaves = true;
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      this.fault = error;
      this.general.rip = rip;
      this.#leaves = true;
    }
    if (this.special.modeChanged) {
      this.applyMode();
      this.end.after(record);
    }
    this.#record = 0;
    if (this.#leaves || this.general.rip !== next) this.state.setUint32(offsetOf('leave'), 1, true);
    return result;
  }

  #perform(
    name: (typeof SYSTEM_OPERATIONS)[number],
    record: number,
    rip: bigint,
    operands: { a: bigint; b: bigint; operandBits: 16 | 32 | 64 },
  ): bigint {
    const { ports } = this.hooks!;
    switch (name) {
      case 'readPort':
        ports.read(Number(operands.a & 0xffffn), Number(operands.b) as PortBytes);
        return 0n;
      case 'writePort':
        ports.write(Number(operands.a & 0xffffn), Number(operands.b) as PortBytes);
        return 0n;
      case 'readPortString':
        ports.readString(this.#operands.stringAccess(record, this.area.state, operands), rip);
        return 0n;
      case 'writePortString':
        ports.writeString(this.#operands.stringAccess(record, this.area.state, operands), rip);
        return 0n;
      default:
        return OPERATIONS[name](this, operands) ?? 0n;
    }
  }

  #applyCodeMode(): void {
    const bits = codeBits(this);
    const { limit } = this.special.cs;
    if (bits !== this.#codeBits || (bits !== 64 && limit !== this.#codeLimit)) this.unit.forgetCode(true);
    this.unit.setCodeMode(bits);
    this.#codeBits = bits;
    this.#codeLimit = limit;
  }

  #applyPaging(): void {
    const { cr0, cr3, cr4, efer } = this.special;
    const before = this.#paging;
    if (cr0 === before.cr0 && cr3 === before.cr3 && cr4 === before.cr4 && efer === before.efer) return;
    this.#paging = { cr0, cr3, cr4, efer };
    this.state.setUint32(offsetOf('fpuUnavailable'), fpuUnavailableWord(cr0, cr4), true);
    const isPae = (efer & (1n << 10n)) === 0n && (cr4 & (1n << 5n)) !== 0n;
    const low = Number(BigInt.asUintN(52, cr3) >> (isPae ? 5n : 12n)) * (isPae ? 32 : 4096);
    this.translations.setControls({
      ...{ cr0: Number(BigInt.asIntN(32, cr0)), cr4: Number(BigInt.asIntN(32, cr4)) },
      ...{ efer: Number(BigInt.asIntN(32, efer)), rootGpa: low, physicalBits: this.physicalAddressBits },
    });
  }

  #applyRights(): void {
    this.rights = privilegeLevel(this) === 3 ? 'user' : this.#supervisorRights();
    this.#checksAlignment = checksAlignment(this, this.general.otherFlags);
    const tlb = this.#checksAlignment ? this.area.closedTlb : this.translations.tlbOf(this.rights);
    this.state.setUint32(offsetOf('tlb'), tlb, true);
    this.state.setUint32(offsetOf('privileges'), privilegesOf(this), true);
  }

  #supervisorRights(): Rights {
    const hasSmap = (this.special.cr4 & CR4_SMAP) !== 0n;
    return hasSmap && (this.general.otherFlags & RFLAGS.AC) !== 0n ? 'allowed' : 'supervisor';
  }

  #flagsChanged(changed: bigint): void {
    if ((changed & (RFLAGS.AC | RFLAGS.VM)) !== 0n) this.#applyRights();
    if ((changed & RFLAGS.VM) !== 0n) this.special.modeChanged = true;
    this.hooks?.flagsChanged(changed);
  }

  /** Code that others may have decoded has been changed: they forget it at their next jump, this one behind the instruction. */
  #codeWritten(): void {
    this.#codeWrites++;
    this.unit.forgetCode(true);
    for (const [id, control] of this.controls.entries()) if (id !== this.id) control.request(REQUEST.code);
  }

  /** No vCPU is to write a page that is being decoded through a translation that it has. */
  #dropWritable(): void {
    this.unit.empty();
    const others = this.controls.filter((_, id) => id !== this.id);
    requestAll(others, REQUEST.writing, () => this.serveRequests());
  }
}
