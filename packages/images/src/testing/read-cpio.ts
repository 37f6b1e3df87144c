/** Reads "newc" archives the way Linux does (init/initramfs.c), for the tests of the writer. */

export interface ReadEntry {
  readonly path: string;
  readonly mode: number;
  readonly links: number;
  readonly major: number;
  readonly minor: number;
  readonly data: Uint8Array;
}

export function readCpio(archive: Uint8Array): ReadEntry[] {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  const entries: ReadEntry[] = [];
  for (let offset = 0; ; ) {
    if (bytes.toString('latin1', offset, offset + 6) !== '070701') throw new Error(`no header at ${offset}`);
    const field = (index: number) => {
      const start = offset + 6 + 8 * index;
      return Number.parseInt(bytes.toString('latin1', start, start + 8), 16);
    };
    const nameEnd = offset + 110 + field(11);
    const path = bytes.toString('utf8', offset + 110, nameEnd - 1);
    if (bytes[nameEnd - 1] !== 0) throw new Error(`the name at ${offset} does not end`);
    if (path === 'TRAILER!!!') return entries;
    const start = align4(nameEnd);
    const data = bytes.subarray(start, start + field(6));
    entries.push({ path, mode: field(1), links: field(4), major: field(9), minor: field(10), data });
    offset = align4(start + field(6));
  }
}

function align4(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
