/**
 * What a kernel module says about itself: the `.modinfo` section of its ELF file holds strings such as
 * `depends=virtio,virtio_ring` (include/linux/moduleinfo.h). Debian makes modules.dep only when a kernel
 * package is installed, so the order to load modules in is found here.
 */

export interface ModuleInfo {
  /** With underscores, as the kernel shows it. */
  readonly name: string;
  /** Names of the modules that must be loaded first. */
  readonly depends: readonly string[];
  /** Patterns of the devices it drives, as in modules.alias. */
  readonly aliases: readonly string[];
}

/** ELF-64 (System V ABI, "Object Files"): offsets in the file header and in a section header. */
const EHDR = { shoff: 0x28, shentsize: 0x3a, shnum: 0x3c, shstrndx: 0x3e, size: 0x40 };
const SHDR = { name: 0x00, offset: 0x18, size: 0x20, entrySize: 0x40 };
const ELF64_LITTLE_ENDIAN = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);

/** Throws a RangeError when the file is no module. */
export function readModuleInfo(file: Uint8Array): ModuleInfo {
  const values = new Map<string, string[]>();
  for (const text of sectionNamed(file, '.modinfo').toString('latin1').split('\0')) {
    const equals = text.indexOf('=');
    if (equals > 0)
      values.set(text.slice(0, equals), [
        ...(values.get(text.slice(0, equals)) ?? []),
        text.slice(equals + 1),
      ]);
  }
  const name = values.get('name')?.[0];
  if (name === undefined) throw new RangeError('a kernel module without a name');
  const depends = values.get('depends')?.[0] ?? '';
  return {
    name: moduleName(name),
    depends: depends
      .split(',')
      .filter((word) => word !== '')
      .map(moduleName),
    aliases: values.get('alias') ?? [],
  };
}

/** File names use hyphens and underscores alike; the kernel only underscores. */
export function moduleName(name: string): string {
  return name.replaceAll('-', '_');
}

function sectionNamed(bytes: Uint8Array, wanted: string): Buffer {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < EHDR.size || !file.subarray(0, 6).equals(ELF64_LITTLE_ENDIAN)) {
    throw new RangeError('not an ELF file of 64 bits');
  }
  const entryBytes = file.readUInt16LE(EHDR.shentsize);
  if (entryBytes < SHDR.entrySize) throw new RangeError('an ELF file without section headers');
  const header = (index: number) =>
    slice(file, file.readBigUInt64LE(EHDR.shoff) + BigInt(index * entryBytes), BigInt(SHDR.entrySize));
  const content = (section: Buffer) =>
    slice(file, section.readBigUInt64LE(SHDR.offset), section.readBigUInt64LE(SHDR.size));
  const names = content(header(file.readUInt16LE(EHDR.shstrndx)));
  for (let index = 1; index < file.readUInt16LE(EHDR.shnum); index++) {
    const section = header(index);
    const start = section.readUInt32LE(SHDR.name);
    if (names.subarray(start, start + wanted.length + 1).equals(Buffer.from(`${wanted}\0`)))
      return content(section);
  }
  throw new RangeError(`an ELF file without ${wanted}`);
}

function slice(file: Buffer, offset: bigint, size: bigint): Buffer {
  if (offset + size > BigInt(file.length)) throw new RangeError('an ELF file that is cut short');
  return file.subarray(Number(offset), Number(offset + size));
}
