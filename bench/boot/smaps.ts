/** What a process has in memory, mapping by mapping (Linux, Documentation/filesystems/proc.rst, "/proc/PID/smaps"). */

export interface MemoryMapping {
  readonly sizeKib: number;
  /** As in `rw-p`. */
  readonly permissions: string;
  /** A path, a name in brackets, or nothing. */
  readonly name: string;
  readonly rssKib: number;
  /** Resident, each page divided by how many processes share it. */
  readonly pssKib: number;
}

export interface ResidentMemory {
  /** By share, for a page that is mapped twice is resident once. */
  readonly guestRam: { readonly pssKib: number };
  readonly aboveGuestRam: { readonly rssKib: number; readonly pssKib: number };
}

const HEADER = /^[0-9a-f]+-[0-9a-f]+ ([rwxsp-]{4}) [0-9a-f]+ \S+ \d+ *(.*)$/;
const FIELD = /^(Size|Rss|Pss): +(\d+) kB$/;

export function parseSmaps(text: string): MemoryMapping[] {
  const mappings: Record<string, string | number>[] = [];
  for (const line of text.split('\n')) {
    const header = HEADER.exec(line);
    if (header) mappings.push({ permissions: header[1]!, name: header[2]! });
    const field = FIELD.exec(line);
    const last = mappings.at(-1);
    if (field && last) last[`${field[1]!.toLowerCase()}Kib`] = Number(field[2]);
  }
  return mappings.map((it) => ({
    ...{ permissions: `${it['permissions']}`, name: `${it['name']}` },
    ...{ sizeKib: Number(it['sizeKib'] ?? 0), rssKib: Number(it['rssKib'] ?? 0) },
    pssKib: Number(it['pssKib'] ?? 0),
  }));
}

/** How Vireo's guest RAM is called where it is a file (memfd_create(2)): under the engine, which maps it more than once. */
const RAM_FILE = /^\/memfd:vireo-ram\b/;

/**
 * Tells guest RAM from the rest: the mappings of Vireo's file for it; else what can be written and is as large as the
 * guest's memory. Undefined when there is neither.
 */
export function splitResident(
  mappings: readonly MemoryMapping[],
  guestMemoryMib: number,
): ResidentMemory | undefined {
  const isLarge = ({ sizeKib, permissions }: MemoryMapping) =>
    permissions.startsWith('rw') && sizeKib >= guestMemoryMib * 1024;
  const isRamFile = ({ name }: MemoryMapping) => RAM_FILE.test(name);
  // The engine's own memory is as large as many a guest's, and not guest RAM.
  const isGuestRam = mappings.some(isRamFile) ? isRamFile : isLarge;
  const guestRam = mappings.filter(isGuestRam);
  if (guestRam.length === 0) return undefined;
  const others = mappings.filter((mapping) => !isGuestRam(mapping));
  return {
    guestRam: { pssKib: sum(guestRam, 'pssKib') },
    aboveGuestRam: { rssKib: sum(others, 'rssKib'), pssKib: sum(others, 'pssKib') },
  };
}

function sum(mappings: readonly MemoryMapping[], key: 'rssKib' | 'pssKib'): number {
  return mappings.reduce((total, mapping) => total + mapping[key], 0);
}
