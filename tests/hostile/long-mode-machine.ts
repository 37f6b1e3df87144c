/** One vCPU in 64-bit mode, whose page tables make all linear addresses below 2^47 one page of memory. */

import { openEngine } from '@vireo/engine-host';
import type { Vcpu } from '@vireo/hypervisor';
import { Mapping, memoryFile } from '@vireo/linux';

const MEMORY_BYTES = 0x2_0000;
const TABLES = 0x1_0000;
const PAGE_BYTES = 4096;
const LEVELS = 4;
const PRESENT_WRITABLE_USER = 7n;
/** The last of the tables. */
export const PAGE_TABLE = TABLES + (LEVELS - 1) * PAGE_BYTES;
/** Where all addresses lead. */
export const PAGE = 0x3000;

export interface LongModeMachine extends Disposable {
  readonly vcpu: Vcpu;
  readonly memory: DataView;
}

/** Without tables of segments and interrupts: what is raised is a triple fault. */
export async function openLongModeMachine(code: readonly number[], dpl: 0 | 3 = 0): Promise<LongModeMachine> {
  const engine = await openEngine();
  const vm = engine.createVm({ interruptControllers: 'in-kernel' });
  const fd = memoryFile('vireo-hostile', MEMORY_BYTES);
  const mapping = Mapping.map({ fd, lengthBytes: MEMORY_BYTES });
  const { hva, buffer } = mapping;
  const backing = { fd, fdOffset: 0, hva, sizeBytes: MEMORY_BYTES, buffer };
  vm.setMemorySlot({ id: 0, gpa: 0, sizeBytes: MEMORY_BYTES, backing, backingOffset: 0 });
  new Uint8Array(buffer).set(code, PAGE);
  const memory = new DataView(buffer);
  writeTables(memory);
  const vcpu = vm.createVcpu(0).open();
  const special = vcpu.getSpecialRegisters();
  const flat = { ...special.cs, base: 0n, limit: 0xffff_ffff, long: true, granularity: true, dpl };
  const nothing = { base: 0n, limit: 0 };
  vcpu.setSpecialRegisters({
    ...{ ...special, cs: flat, ss: { ...special.ss, dpl }, gdt: nothing, idt: nothing },
    ...{ cr0: 0x8004_0031n, cr3: BigInt(TABLES), cr4: 0x20n, efer: 0x500n },
  });
  return {
    ...{ vcpu, memory },
    [Symbol.dispose]() {
      vm.close();
      mapping.unmap();
    },
  };
}

/** All entries of each level lead to the next one. */
function writeTables(view: DataView): void {
  for (let level = 0; level < LEVELS; level++) {
    const table = TABLES + level * PAGE_BYTES;
    const next = level === LEVELS - 1 ? PAGE : table + PAGE_BYTES;
    for (let at = 0; at < PAGE_BYTES; at += 8)
      view.setBigUint64(table + at, BigInt(next) | PRESENT_WRITABLE_USER, true);
  }
}
