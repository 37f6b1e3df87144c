/** ACPICA's compiler, the one that operating systems' interpreters come with, reads our tables and writes them again. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { exampleLayout } from '../testing/acpi-layout.ts';
import type { AcpiLayout } from './layout.ts';
import { buildAcpiTables } from './tables.ts';

const missing = spawnSync('iasl', ['-v']).error !== undefined;
const skip = missing ? "iasl is not installed: it is in Debian's acpica-tools" : false;

describe('iasl', { skip }, () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'vireo-acpi-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  /** Disassembles a table; white space and comments are taken out of the ASL. */
  function disassemble(layout: AcpiLayout, signature: string): string {
    const table = buildAcpiTables(layout).blobs.find((blob) => blob.signature === signature)!;
    const file = join(directory, `${signature}.dat`);
    writeFileSync(file, table.bytes);
    execFileSync('iasl', ['-d', file], { stdio: 'pipe' });
    const asl = readFileSync(join(directory, `${signature}.dsl`), 'latin1');
    return asl.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '').replace(/\s+/g, ' ');
  }

  for (const signature of ['DSDT', 'FACP', 'APIC', 'MCFG', 'XSDT', 'FACS']) {
    test(`the ${signature} disassembles, and compiles again without a complaint`, () => {
      for (const layout of [exampleLayout(), exampleLayout({ vcpuApicIds: [0, 255, 300], i8042: false })]) {
        disassemble(layout, signature);
        const source = join(directory, `${signature}.dsl`);
        const result = spawnSync('iasl', ['-p', join(directory, 'again'), source], { encoding: 'utf8' });
        assert.match(result.stdout, /Compilation successful. 0 Errors, 0 Warnings, 0 Remarks/);
      }
    });
  }

  test('the DSDT says what it should', () => {
    const asl = disassemble(exampleLayout(), 'DSDT');
    const fragments = [
      'DefinitionBlock ("", "DSDT", 2, "VIREO", "VIREOPC", 0x00000001)',
      'Scope (\\_SB) { Device (C000) { Name (_HID, "ACPI0007" ) Name (_UID, Zero) }',
      'Device (PCI0) { Name (_HID, EisaId ("PNP0A08") ) Name (_CID, EisaId ("PNP0A03") )',
      'WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0x0000, 0x0000, 0x00FF, 0x0000, 0x0100, ,, )',
      'DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite, 0x00000000, 0xC0000000, 0xDFFFFFFF, 0x00000000, 0x20000000,',
      'QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite, 0x0000000000000000, 0x0000000400000000, 0x00000007FFFFFFFF,',
      'Package (0x04) { 0x0001FFFF, One, Zero, 0x12 }',
      'If ((Arg0 == ToUUID ("33db4d5b-1ff7-401c-9657-7441c03dd766") ))',
      'Local0 = (CDW3 & 0x1F) If ((Arg1 != One)) { CDW1 |= 0x08 } If ((CDW3 != Local0)) { CDW1 |= 0x10 } CDW3 = Local0',
      'Else { CDW1 |= 0x04 } Return (Arg3)',
      'Name (_HID, EisaId ("PNP0C02") )',
      'Memory32Fixed (ReadWrite, 0xE0000000, 0x10000000, )',
      'Device (COM1) { Name (_HID, EisaId ("PNP0501") ) Name (_UID, Zero) Name (_CRS, ResourceTemplate () { IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08, ) IRQNoFlags () {4} }) }',
      'Name (_HID, EisaId ("PNP0B00") )',
      'Name (_HID, EisaId ("PNP0303") )',
      'Device (PEVT) { Name (_HID, "QEMU0001")',
      'IO (Decode16, 0x0505, 0x0505, 0x01, 0x01, )',
      'Name (\\_S5, Package (0x04) { 0x05, 0x05, Zero, Zero })',
    ];
    for (const fragment of fragments) assert.ok(asl.includes(fragment), `${fragment}\nis not in\n${asl}`);
  });

  test('devices that are not there are not told of', () => {
    const layout = exampleLayout({ i8042: false });
    const asl = disassemble({ ...layout, ports: { ...layout.ports, com1: null, pvpanic: null } }, 'DSDT');
    for (const id of ['PNP0303', 'PNP0501', 'QEMU0001']) assert.ok(!asl.includes(id), id);
  });
});
