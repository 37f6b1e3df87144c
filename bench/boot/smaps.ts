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
  readonly guestRam: { readonly rssKib: number };
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

/**
 * Tells guest RAM from the rest: it is the mapping that can be written and is as large as the guest's memory. Undefined
 * when there is none.
 */
export function splitResident(
  mappings: readonly MemoryMapping[],
  guestMemoryMib: number,
): ResidentMemory | undefined {
  const isGuestRam = ({ sizeKib, permissions }: MemoryMapping) =>
    permissions.startsWith('rw') && sizeKib >= guestMemoryMib * 1024;
  const guestRam = mappings.filter(isGuestRam);
  if (guestRam.length === 0) return undefined;
  const others = mappings.filter((mapping) => !isGuestRam(mapping));
  return {
    guestRam: { rssKib: sum(guestRam, 'rssKib') },
    aboveGuestRam: { rssKib: sum(others, 'rssKib'), pssKib: sum(others, 'pssKib') },
  };
}

function sum(mappings: readonly MemoryMapping[], key: 'rssKib' | 'pssKib'): number {
  return mappings.reduce((total, mapping) => total + mapping[key], 0);
}
