/**
 * The machine's memory map, as firmware would report it, and where things fit in it (ACPI 6.5 §15 "System Address
 * Map Interfaces"). Linux reads it as the E820 table or as PVH's memory map; the type numbers are the same.
 */

export type MemoryKind = 'ram' | 'reserved' | 'acpi' | 'acpi-nvs';

export interface MemoryMapEntry {
  readonly gpa: number;
  readonly sizeBytes: number;
  readonly kind: MemoryKind;
}

/** Address range types (ACPI 6.5 Table 15.1 "Address Range Types"). */
export const ADDRESS_RANGE_TYPE: Record<MemoryKind, number> = {
  ram: 1,
  reserved: 2,
  acpi: 3,
  'acpi-nvs': 4,
};

/** Guest physical addresses from `start` up to, not including, `end`. */
export interface GpaRange {
  readonly start: number;
  readonly end: number;
}

/** RAM of the map: sorted, neighbours joined, what other entries claim cut out. */
export function ramRanges(map: readonly MemoryMapEntry[]): GpaRange[] {
  const ram = map.filter((entry) => entry.kind === 'ram').map(toRange);
  const claimed = map.filter((entry) => entry.kind !== 'ram').map(toRange);
  return subtract(join(ram), claimed);
}

/** The ranges without what `holes` cover. */
export function subtract(ranges: readonly GpaRange[], holes: readonly GpaRange[]): GpaRange[] {
  let rest = [...ranges];
  for (const hole of holes) {
    rest = rest.flatMap((range) =>
      [
        { start: range.start, end: Math.min(range.end, hole.start) },
        { start: Math.max(range.start, hole.end), end: range.end },
      ].filter(({ start, end }) => start < end),
    );
  }
  return rest;
}

/** Whether one of the ranges covers all of it. */
export function covers(ranges: readonly GpaRange[], range: GpaRange): boolean {
  return ranges.some(({ start, end }) => start <= range.start && range.end <= end);
}

/** The highest aligned place for so many bytes that ends at or below `limit`; undefined when there is none. */
export function highestFit(
  ranges: readonly GpaRange[],
  sizeBytes: number,
  alignment: number,
  limit: number,
): number | undefined {
  let best: number | undefined;
  for (const { start, end } of ranges) {
    const gpa = Math.floor((Math.min(end, limit) - sizeBytes) / alignment) * alignment;
    if (gpa >= start && (best === undefined || gpa > best)) best = gpa;
  }
  return best;
}

function toRange(entry: MemoryMapEntry): GpaRange {
  return { start: entry.gpa, end: entry.gpa + entry.sizeBytes };
}

function join(ranges: readonly GpaRange[]): GpaRange[] {
  const joined: { start: number; end: number }[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (last && range.start <= last.end) last.end = Math.max(last.end, range.end);
    else joined.push({ ...range });
  }
  return joined;
}
