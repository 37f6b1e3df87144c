/**
 * What AssemblyScript sources have to know of the engine's layout, as a source of their own: gen/layout.ts, which the build
 * makes, so that each place is declared once.
 */
import {
  CODE_TABLE_ENTRIES,
  CODE_TABLE_ENTRY,
  CODE_TABLE_ENTRY_BYTES,
  CODE_TABLE_FOLD_SHIFT,
} from './code-table.ts';
import { offsetOf } from './cpu-state.ts';
import { PAGE_STATE } from './memory/page-states.ts';
import { SLOT_FLAGS, SLOT_TABLE_WORDS } from './memory/slot-table.ts';
import { ACCESS, CODE_OUTCOME, OUTCOME, RIGHTS } from './memory/unit-numbers.ts';
import {
  DIRTY_PAGES,
  PAGE_STATES,
  SLOT_TABLE,
  STRETCH_BYTES,
  STRETCHES,
  TLB_COUNT,
  UNIT,
} from './memory-map.ts';
import { PF } from './paging/page-fault.ts';
import { PAGING_CONTROL, PAGING_MODE } from './paging/paging-mode.ts';
import {
  CODE_TLB_BYTES,
  CODE_TLB_ENTRIES,
  TLB_BYTES,
  TLB_ENTRIES,
  TLB_ENTRY,
  TLB_ENTRY_BYTES,
} from './tlb.ts';

/** Addresses, offsets and sizes. */
const PLACES = {
  ...{ PAGE_STATES, DIRTY_PAGES, SLOT_TABLE },
  SLOT_VERSION: SLOT_TABLE_WORDS.VERSION,
  SLOT_COUNT: SLOT_TABLE_WORDS.COUNT,
  SLOTS: SLOT_TABLE_WORDS.SLOTS,
  SLOT_WORDS: SLOT_TABLE_WORDS.SLOT_WORDS,
  ...{ TLB_COUNT, TLB_BYTES, TLB_ENTRIES, TLB_ENTRY_BYTES, CODE_TLB_BYTES, CODE_TLB_ENTRIES },
  TLB_ENTRY_READ_PAGE: TLB_ENTRY.readPage,
  TLB_ENTRY_WRITE_PAGE: TLB_ENTRY.writePage,
  TLB_ENTRY_ADDEND: TLB_ENTRY.addend,
  TLB_ENTRY_GLOBAL: TLB_ENTRY.global,
  ...{ CODE_TABLE_ENTRIES, CODE_TABLE_ENTRY_BYTES },
  CODE_TABLE_ENTRY_RIP: CODE_TABLE_ENTRY.rip,
  CODE_TABLE_ENTRY_RECORD: CODE_TABLE_ENTRY.record,
  CODE_TABLE_ENTRY_GENERATION: CODE_TABLE_ENTRY.generation,
  ...{ STRETCHES, STRETCH_BYTES },
  STATE_TLB: offsetOf('tlb'),
  STATE_LINEAR_MASK: offsetOf('linearMask'),
  STATE_CODE_LIMIT: offsetOf('codeLimit'),
  STATE_CODE_SEGMENT_BASE: offsetOf('segmentBases') + 8,
  STATE_LOCAL_GENERATION: offsetOf('localGeneration'),
  STATE_GLOBAL_GENERATION: offsetOf('globalGeneration'),
  UNIT_PATH: UNIT.path,
  UNIT_WATCHED: UNIT.watched,
  UNIT_SLOTS: UNIT.slots,
  UNIT_LARGE_REGIONS: UNIT.largeRegions,
  UNIT_LARGE_REGIONS_BYTES: UNIT.codePages - UNIT.largeRegions,
  UNIT_CODE_PAGES: UNIT.codePages,
  UNIT_CODE_PAGES_BYTES: UNIT.localEntries - UNIT.codePages,
  UNIT_LOCAL_ENTRIES: UNIT.localEntries,
  UNIT_LOCAL_ENTRIES_BYTES: UNIT.stretches - UNIT.localEntries,
  UNIT_STRETCHES: UNIT.stretches,
} as const;

/** Bits and numbers of 32 bits. */
const WORDS = {
  CODE_TABLE_FOLD_SHIFT,
  PAGE_CODE: PAGE_STATE.CODE,
  PAGE_WRITABLE: PAGE_STATE.WRITABLE,
  PAGE_VERSION_SHIFT: PAGE_STATE.VERSION_SHIFT,
  SLOT_READONLY: SLOT_FLAGS.READONLY,
  SLOT_LOGS: SLOT_FLAGS.LOGS,
  PAGING_NONE: PAGING_MODE.none,
  PAGING_32_BIT: PAGING_MODE['32-bit'],
  PAGING_PAE: PAGING_MODE.PAE,
  ACCESS_READ: ACCESS.read,
  ACCESS_WRITE: ACCESS.write,
  ACCESS_EXECUTE: ACCESS.execute,
  RIGHTS_USER: RIGHTS.user,
  RIGHTS_SUPERVISOR: RIGHTS.supervisor,
  RIGHTS_ALLOWED: RIGHTS.allowed,
  OUTCOME_FAULT: OUTCOME.fault,
  OUTCOME_DEVICE: OUTCOME.device,
  OUTCOME_READ_ONLY: OUTCOME.readOnly,
  CODE_BEYOND_LIMIT: CODE_OUTCOME.beyondLimit,
  CODE_NOT_MEMORY: CODE_OUTCOME.notMemory,
  CODE_NOT_DECODED: CODE_OUTCOME.notDecoded,
  ...named('CONTROL_', PAGING_CONTROL),
  ...named('PF_', PF),
} as const;

export function assemblyLayout(): string {
  const constants = Object.entries({ ...PLACES, ...WORDS });
  const lines = constants.map(([name, value]) => `export const ${name}: u32 = ${value};\n`);
  return ['/** Made by the build of src/assembly-layout.ts. */\n', ...lines].join('');
}

function named(prefix: string, values: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
}
