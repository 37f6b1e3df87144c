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
/**
 * Most VMs have few vCPUs, whose decoded code finds room for a long time; of many, the later ones have less of it, so that
 * guest memory does.
 */
const ROOMY_VCPUS = 16;
const ROOMY_AREA_BYTES = 24 * MIB;
const AREA_BYTES = 11 * MIB;
/** Guest memory is mapped from here on. */
export const GUEST_MEMORY = areaOf(MAX_VCPUS).start;
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

function areaOf(id: number): { readonly start: number; readonly sizeBytes: number } {
  const roomy = Math.min(id, ROOMY_VCPUS);
  return {
    start: VCPU_AREAS + roomy * ROOMY_AREA_BYTES + (id - roomy) * AREA_BYTES,
    sizeBytes: id < ROOMY_VCPUS ? ROOMY_AREA_BYTES : AREA_BYTES,
  };
}

export function vcpuArea(id: number): VcpuArea {
  const { start, sizeBytes } = areaOf(id);
  const tlbs = start;
  const closedTlb = tlbs + TLB_COUNT * TLB_BYTES;
  const codeTable = tlbs + TLBS_BYTES;
  const scratch = codeTable + CODE_TABLE_BYTES;
  const unit = scratch + PAGE_BYTES;
  const records = unit + UNIT.end;
  return {
    state: (id + 1) * CPU_STATE_STRIDE_BYTES,
    control: CONTROLS + id * CONTROL_BYTES,
    ...{ tlbs, codeTable, closedTlb, scratch, unit, records },
    recordsBytes: start + sizeBytes - records,
  };
}
