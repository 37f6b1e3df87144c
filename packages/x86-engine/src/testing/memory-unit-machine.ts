/** A memory unit over a MiB of guest memory at 0, for tests of what it finds in page tables. */
import { type MemoryUnit, openMemoryUnit } from '../memory/memory-unit.ts';
import { PhysicalMemory } from '../memory/physical-memory.ts';
import { type MappedSlot, SlotTable } from '../memory/slot-table.ts';
import { Translations } from '../memory/translation.ts';
import { MEMORY_LIMITS, vcpuArea } from '../memory-map.ts';
import { assemblyBytes } from './built-assembly.ts';

const MODULE = new WebAssembly.Module(await assemblyBytes('memory-unit'));
const MIB = 2 ** 20;
/** Behind the first vCPU's area. */
const RAM = 48 * MIB;
const RAM_BYTES = MIB;
const INITIAL_PAGES = (RAM + RAM_BYTES) / 65536;

export class MemoryUnitMachine {
  readonly unit: MemoryUnit;
  readonly physical: PhysicalMemory;
  readonly translations: Translations;
  readonly area = vcpuArea(0);
  onCodeWritten: () => void = () => {};
  /** Accesses that were left to the host. */
  readonly slowAccesses: {
    readonly kind: 'read' | 'write';
    readonly gva: bigint;
    readonly lengthBytes: number;
  }[] = [];

  constructor(slot: Partial<MappedSlot> = {}) {
    const memory = new WebAssembly.Memory({
      initial: INITIAL_PAGES,
      maximum: MEMORY_LIMITS.maximumPages,
      shared: true,
    });
    this.physical = new PhysicalMemory(memory.buffer);
    const slow =
      (kind: 'read' | 'write') => (_state: number, _record: number, gva: bigint, lengthBytes: number) => {
        this.slowAccesses.push({ kind, gva: BigInt.asUintN(64, gva), lengthBytes });
        return 0;
      };
    this.unit = openMemoryUnit(MODULE, this.area, {
      ...{ memory, slowRead: slow('read'), slowWrite: slow('write') },
      codeWritten: () => this.onCodeWritten(),
      endAfter: () => {},
    });
    this.translations = new Translations(this.unit, this.area, this.physical.view);
    const all = { gpa: 0, sizeBytes: RAM_BYTES, address: RAM, readonly: false, logsDirtyPages: false };
    new SlotTable(memory.buffer).write([{ ...all, ...slot }]);
    this.unit.refreshSlots();
  }

  /** Where guest memory is in the engine's. */
  addressOf(gpa: bigint): number {
    return RAM + Number(gpa);
  }

  set32(gpa: bigint, value: number): void {
    this.physical.view.setUint32(this.addressOf(gpa), value, true);
  }

  set64(gpa: bigint, value: bigint): void {
    this.physical.view.setBigUint64(this.addressOf(gpa), value, true);
  }

  get64(gpa: bigint): bigint {
    return this.physical.view.getBigUint64(this.addressOf(gpa), true);
  }
}
