/**
 * Guests that no program would be: any mode, registers and tables that may be right or may be anything, and code that is
 * bytes by chance. Which guest a seed is depends on nothing else.
 */

import type { GeneralRegisters, Segment, SpecialRegisters, VcpuEvents } from '@vireo/hypervisor';
import { GENERAL_REGISTER_NAMES, SEGMENT_NAMES } from '@vireo/hypervisor/vcpu-state';
import type { Random } from '../differential/random.ts';
import { writeStructures } from './guest-structures.ts';

export const RAM_BYTES = 0x8_0000;
export const ROM_GPA = 0x20_0000;
export const ROM_BYTES = 0x1_0000;

const MODES = [
  'real',
  'protected-16',
  'protected-32',
  'virtual-8086',
  'long',
  'compatibility',
  'anything',
] as const;
export type GuestMode = (typeof MODES)[number];

const CR0 = { PE: 1n, ET: 0x10n, NE: 0x20n, WP: 1n << 16n, AM: 1n << 18n, PG: 1n << 31n } as const;
const CR4_PAE = 0x20n;
const CR4_OSFXSR = 0x600n;
const EFER_LONG = 0x501n;
const EFER_NXE = 0x800n;
const RFLAGS_VM = 1n << 17n;
const IDT_BASES = { real: 0n, other: 0x2000n } as const;

export interface GuestState {
  readonly mode: GuestMode;
  readonly general: GeneralRegisters;
  readonly special: SpecialRegisters;
}

/** Fills memory, and says where the vCPU begins in it. */
export function makeGuest(random: Random, memory: Uint8Array): GuestState {
  const mode = random.pick(MODES);
  fillWithCode(random, memory);
  const isLong = mode === 'long' || mode === 'compatibility';
  if (!random.chance(8))
    writeStructures(random, memory, isLong ? 'long' : mode === 'real' ? 'real' : 'protected');
  return { mode, general: generalRegisters(random, mode), special: specialRegisters(random, mode) };
}

/** Opcodes that do much come more often than chance has them. */
const FAVOURITES: readonly (readonly number[])[] = [
  ...[
    [0x0f, 0x22],
    [0x0f, 0x20],
    [0x0f, 0x23],
    [0x0f, 0x30],
    [0x0f, 0x32],
    [0x0f, 0x01],
    [0x0f, 0x00],
  ],
  ...[
    [0x0f, 0xae],
    [0x0f, 0xc7],
    [0x0f, 0x05],
    [0x0f, 0x07],
    [0x0f, 0x34],
    [0x0f, 0x35],
    [0x0f, 0xf7],
  ],
  ...[[0xf3, 0xa4], [0xf3, 0xab], [0xf3, 0x6c], [0xf3, 0x6f], [0xf2, 0xae], [0xcf], [0xcd], [0xcc], [0xf4]],
  ...[[0x9a], [0xea], [0xff], [0xcb], [0xca], [0xc8], [0x9d], [0x8e], [0xfb], [0xe4], [0xee], [0xf0], [0x62]],
  ...[[0xd9], [0xdd], [0x0f, 0xa2], [0x0f, 0x09], [0x0f, 0x08], [0x66], [0x67], [0x48], [0x0f, 0xba], [0xc4]],
];

function fillWithCode(random: Random, memory: Uint8Array): void {
  memory.set(random.bytes(memory.length / 8));
  for (let at = memory.length / 8; at < memory.length; at *= 2) memory.copyWithin(at, 0, at);
  for (let count = random.below(4096); count > 0; count--)
    memory.set(random.pick(FAVOURITES), random.below(memory.length - 16));
}

/** Mostly in memory. */
function address(random: Random): bigint {
  return random.chance(4) ? random.operand() : BigInt(random.below(RAM_BYTES));
}

function generalRegisters(random: Random, mode: GuestMode): GeneralRegisters {
  const names = GENERAL_REGISTER_NAMES.map((name) => [name, address(random)]);
  const vm = mode === 'virtual-8086' ? RFLAGS_VM : 0n;
  const rflags = (random.next() & (random.chance(2) ? 0x3f_ffffn : 0xcd5n)) | 2n;
  return {
    ...(Object.fromEntries(names) as GeneralRegisters),
    rip: random.chance(16) ? random.operand() : BigInt(random.below(0x1_0000)),
    rflags: mode === 'anything' ? random.next() : (rflags & ~RFLAGS_VM) | vm,
  };
}

function specialRegisters(random: Random, mode: GuestMode): SpecialRegisters {
  const isLong = mode === 'long' || mode === 'compatibility';
  const paging = isLong || (mode !== 'real' && random.chance(2)) ? CR0.PG : 0n;
  const optional = (random.chance(2) ? CR0.WP : 0n) | (random.chance(2) ? CR0.AM : 0n);
  const cr4 = (isLong || random.chance(2) ? CR4_PAE : 0n) | CR4_OSFXSR;
  const segments = SEGMENT_NAMES.map((name) => [name, segmentFor(random, mode, name)]);
  const table = () => ({ base: random.chance(16) ? random.operand() : 0x1000n, limit: 0xffff });
  const anything = mode === 'anything';
  return {
    ...(Object.fromEntries(segments) as SpecialRegisters),
    gdt: table(),
    idt: { ...table(), base: mode === 'real' ? IDT_BASES.real : IDT_BASES.other },
    cr0: anything ? random.next() : CR0.ET | CR0.NE | optional | (mode === 'real' ? 0n : CR0.PE | paging),
    cr2: random.operand(),
    cr3: random.chance(8) ? random.operand() : 0x1_0000n,
    cr4: anything ? random.next() : cr4 | (random.next() & 0x35_0e9fn & (random.chance(2) ? -1n : 0n)),
    cr8: BigInt(random.below(16)),
    efer: anything ? random.next() : (isLong ? EFER_LONG : 1n) | (random.chance(2) ? EFER_NXE : 0n),
    apicBase: 0xfee0_0900n,
  };
}

function segmentFor(random: Random, mode: GuestMode, name: string): Segment {
  if (mode === 'anything' || random.chance(32)) return anySegment(random);
  const isCode = name === 'cs';
  const isSystem = name === 'tr' || name === 'ldt';
  const isReal = mode === 'real' || mode === 'virtual-8086';
  const dpl = mode === 'virtual-8086' ? 3 : 0;
  return {
    ...{ selector: isCode ? 8 : 16, base: 0n, limit: isReal ? 0xffff : 0xffff_ffff, dpl },
    ...{ type: isSystem ? (name === 'tr' ? 11 : 2) : isCode && !isReal ? 11 : 3, nonSystem: !isSystem },
    ...{ present: true, available: false, long: isCode && mode === 'long', unusable: false },
    ...{ defaultBig: mode === 'protected-32' || (mode === 'long' && !isCode), granularity: !isReal },
  };
}

function anySegment(random: Random): Segment {
  const flag = () => random.chance(2);
  return {
    ...{
      selector: random.below(0x1_0000),
      base: random.operand(),
      limit: random.word(),
      type: random.below(16),
    },
    ...{ nonSystem: flag(), dpl: random.below(4), present: flag(), available: flag(), long: flag() },
    ...{ defaultBig: flag(), granularity: flag(), unusable: random.chance(4) },
  };
}

export function randomEvents(random: Random): VcpuEvents {
  const flag = () => random.chance(4);
  const injected = flag();
  return {
    exception: {
      ...{ injected, pending: !injected && flag(), vector: random.below(256) },
      ...{ errorCode: flag() ? random.word() : null, payload: flag() ? random.operand() : null },
    },
    interrupt: { injected: flag(), vector: random.below(256), soft: flag(), shadow: random.below(4) },
    nmi: { injected: flag(), pending: flag(), masked: flag() },
    sipiVector: random.below(256),
    smi: { inSmm: false, pending: false, smmInsideNmi: false, latchedInit: false },
    tripleFaultPending: random.chance(32),
  };
}
