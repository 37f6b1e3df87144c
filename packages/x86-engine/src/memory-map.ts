/**
 * Where everything is in the engine's memory, which all threads of a VM share: 4 GiB of addresses, of which only what is
 * touched takes memory of the host.
 */
import { CODE_TABLE_BYTES } from './code-table.ts';
import { CPU_STATE_STRIDE_BYTES } from './cpu-state.ts';
import { CODE_TLB_BYTES, TLB_BYTES } from './tlb.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

export const PAGE_BYTES = 4096;
/** WebAssembly's pages are of 64 KiB. */
export const MEMORY_LIMITS = { minimumPages: 16, maximumPages: 65536 } as const;
const MEMORY_BYTES = 65536 * 64 * KIB;

/** Their states are in the first 128 KiB, behind the words that all share (cpu-state.ts). */
export const MAX_VCPUS = 64;

/** What the threads tell each other about vCPUs (vcpu/vcpu-control.ts). */
export const CONTROLS = 128 * KIB;
export const CONTROL_BYTES = 64;
/** Memory slots (memory/slot-table.ts), and the VM's clock. */
export const SLOT_TABLE = 132 * KIB;
export const VM_CLOCK = 144 * KIB;
/** Time-stamp counters (cpu-model/tsc.ts), one behind the other. */
export const TIME_STAMP_COUNTERS = 148 * KIB;
export const INTERRUPT_CONTROLLERS = 192 * KIB;
/** A word and a byte for each page of this memory (memory/page-states.ts). */
export const PAGE_STATES = 1 * MIB;
export const DIRTY_PAGES = 5 * MIB;

const VCPU_AREAS = 16 * MIB;
/** Records take nearly all of it: twice what a boot, or gcc, takes needs no more time and only memory. */
const VCPU_AREA_BYTES = 12 * MIB;
/** Guest memory is mapped from here on. */
export const GUEST_MEMORY = VCPU_AREAS + MAX_VCPUS * VCPU_AREA_BYTES;
export const GUEST_MEMORY_BYTES = MEMORY_BYTES - GUEST_MEMORY;

/** One TLB of data for each of the rights (memory/memory-unit.ts), and behind them one that stays empty and two of code. */
export const TLB_COUNT = 3;
const TLBS_BYTES = (TLB_COUNT + 1) * TLB_BYTES + 2 * CODE_TLB_BYTES;

/** Stretches of decoded code (assembly/memory-unit/decoded-code.ts). */
export const STRETCHES = 32768;
export const STRETCH_BYTES = 32;

/** The memory unit's own part of a vCPU's area: where its tables are, in bytes from its start. */
export const UNIT = layOutUnit({
  /** Entries on the way of a page walk. */
  path: 4 * 16,
  /** Pages with data breakpoints: two for each of four. */
  watched: 8 * 8,
  slots: 64 * 16,
  largeRegions: 4096,
  codePages: 16384,
  localEntries: 4096 * 4,
  stretches: STRETCHES * STRETCH_BYTES,
});

type UnitPart = 'path' | 'watched' | 'slots' | 'largeRegions' | 'codePages' | 'localEntries' | 'stretches';

function layOutUnit(lengths: Readonly<Record<UnitPart, number>>): Readonly<Record<UnitPart | 'end', number>> {
  let end = 0;
  const parts = Object.entries(lengths).map(([name, lengthBytes]) => {
    end += lengthBytes;
    return [name, end - lengthBytes];
  });
  return { ...(Object.fromEntries(parts) as Record<UnitPart, number>), end };
}

export interface VcpuArea {
  readonly state: number;
  readonly control: number;
  readonly tlbs: number;
  readonly codeTable: number;
  /** A TLB that stays empty (memory/alignment-check.ts). */
  readonly closedTlb: number;
  /** A page for accesses that do not go to guest memory directly. */
  readonly scratch: number;
  /** The memory unit's. */
  readonly unit: number;
  readonly records: number;
  readonly recordsBytes: number;
}

export function vcpuArea(id: number): VcpuArea {
  const tlbs = VCPU_AREAS + id * VCPU_AREA_BYTES;
  const closedTlb = tlbs + TLB_COUNT * TLB_BYTES;
  const codeTable = tlbs + TLBS_BYTES;
  const scratch = codeTable + CODE_TABLE_BYTES;
  const unit = scratch + PAGE_BYTES;
  const records = unit + UNIT.end;
  return {
    state: (id + 1) * CPU_STATE_STRIDE_BYTES,
    control: CONTROLS + id * CONTROL_BYTES,
    ...{ tlbs, codeTable, closedTlb, scratch, unit, records },
    recordsBytes: tlbs + VCPU_AREA_BYTES - records,
  };
}
