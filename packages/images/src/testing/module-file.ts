/** Makes files that look like kernel modules: ELF-64 with a string table and a `.modinfo` section. */

export function moduleFile(info: Readonly<Record<string, string | readonly string[]>>): Uint8Array {
  const modinfo = Buffer.from(
    Object.entries(info)
      .flatMap(([key, values]) => [values].flat().map((value) => `${key}=${value}\0`))
      .join(''),
  );
  const names = Buffer.from('\0.modinfo\0.shstrtab\0');
  const header = Buffer.alloc(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const sectionsAt = 64 + modinfo.length + names.length;
  header.writeBigUInt64LE(BigInt(sectionsAt), 0x28);
  header.writeUInt16LE(64, 0x3a);
  header.writeUInt16LE(3, 0x3c);
  header.writeUInt16LE(2, 0x3e);
  const section = (name: number, offset: number, size: number) => {
    const bytes = Buffer.alloc(64);
    bytes.writeUInt32LE(name, 0);
    bytes.writeBigUInt64LE(BigInt(offset), 0x18);
    bytes.writeBigUInt64LE(BigInt(size), 0x20);
    return bytes;
  };
  return Buffer.concat([
    ...[header, modinfo, names],
    section(0, 0, 0),
    section(1, 64, modinfo.length),
    section(10, 64 + modinfo.length, names.length),
  ]);
}
