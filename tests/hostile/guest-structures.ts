/** Descriptor tables, gates and page tables for random guests: right in the main, so that guests go on for a while. */
import type { Random } from '../differential/random.ts';

const GDT = 0x1000;
const IDT = 0x2000;
const ROOT = 0x1_0000;
const TABLES = 3;
const VECTORS = 256;
const DESCRIPTORS = 32;
const PAGE_BYTES = 4096;

const CODE_32 = 0x00cf_9b00_0000_ffffn;
const DATA_32 = 0x00cf_9300_0000_ffffn;
const CODE_64 = 0x00af_9b00_0000_ffffn;

export function writeStructures(
  random: Random,
  memory: Uint8Array,
  kind: 'real' | 'protected' | 'long',
): void {
  const view = new DataView(memory.buffer, memory.byteOffset, memory.length);
  if (kind === 'real') {
    for (let vector = 0; vector < VECTORS; vector++) view.setUint32(vector * 4, random.below(0x1_0000), true);
    return;
  }
  const isLong = kind === 'long';
  view.setBigUint64(GDT, 0n, true);
  view.setBigUint64(GDT + 8, isLong ? CODE_64 : CODE_32, true);
  view.setBigUint64(GDT + 16, DATA_32, true);
  for (let index = 3; index < DESCRIPTORS; index++)
    view.setBigUint64(GDT + index * 8, descriptor(random), true);
  for (let vector = 0; vector < VECTORS; vector++) writeGate(random, view, vector, isLong);
  writePageTables(random, view, isLong || random.chance(2));
}

/** Of any type: segments, gates, TSSs, in memory. */
function descriptor(random: Random): bigint {
  const base = BigInt(random.below(0x8_0000));
  const access = BigInt(random.chance(4) ? random.below(256) : 0x80 | random.below(128));
  const low = 0xffffn | ((base & 0xff_ffffn) << 16n) | (access << 40n);
  return low | (BigInt(random.below(16)) << 52n) | ((base >> 24n) << 56n);
}

function writeGate(random: Random, view: DataView, vector: number, isLong: boolean): void {
  const at = IDT + vector * (isLong ? 16 : 8);
  const type = random.chance(16) ? random.below(32) : random.pick([0xe, 0xf]);
  const offset = random.below(0x1_0000);
  const selector = random.chance(16) ? random.below(DESCRIPTORS) * 8 : 8;
  const ist = isLong && random.chance(8) ? random.below(8) : 0;
  const dpl = random.chance(2) ? 3 : 0;
  view.setUint32(at, (selector << 16) | offset, true);
  view.setUint32(at + 4, ((0x80 | (dpl << 5) | type) << 8) | ist, true);
  if (isLong) view.setBigUint64(at + 8, 0n, true);
}

/** The first 512 KiB where they are, with a few entries that are anything; the same for all regions. */
function writePageTables(random: Random, view: DataView, has64Bits: boolean): void {
  for (let level = 0; level < TABLES; level++) {
    const table = ROOT + level * PAGE_BYTES;
    const next = BigInt(table + PAGE_BYTES) | 7n;
    for (let entry = 0; entry < 512; entry++) {
      if (has64Bits) view.setBigUint64(table + entry * 8, odd(random) ?? next, true);
      else view.setUint32(table + entry * 4, Number((odd(random) ?? next) & 0xffff_ffffn), true);
    }
  }
  const last = ROOT + TABLES * PAGE_BYTES;
  for (let entry = 0; entry < 512; entry++) {
    const page = BigInt((entry % 128) * PAGE_BYTES) | 7n;
    view.setBigUint64(last + entry * 8, odd(random) ?? page, true);
  }
}

const odd = (random: Random): bigint | undefined => (random.chance(64) ? random.operand() : undefined);
