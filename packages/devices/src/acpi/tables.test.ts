import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exampleLayout } from '../testing/acpi-layout.ts';
import { type AcpiTable, type AcpiTables, buildAcpiTables } from './tables.ts';

const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
const signatureOf = (bytes: Uint8Array) => Buffer.from(bytes.subarray(0, 4)).toString('latin1');
const view = (table: AcpiTable) => new DataView(table.bytes.buffer);

function find(tables: AcpiTables, signature: string): AcpiTable {
  const table = tables.blobs.find((blob) => blob.signature === signature);
  assert.ok(table, `there is a ${signature}`);
  return table;
}

/** The MADT's structures, as type and bytes. */
function madtStructures(tables: AcpiTables): { type: number; bytes: Uint8Array }[] {
  const { bytes } = find(tables, 'APIC');
  const structures = [];
  for (let at = 44; at < bytes.length; at += bytes[at + 1]!) {
    structures.push({ type: bytes[at]!, bytes: bytes.subarray(at, at + bytes[at + 1]!) });
  }
  return structures;
}

test('the RSDP leads to the XSDT, and that to every other table; all checksums are right', () => {
  const tables = buildAcpiTables(exampleLayout());
  const at = (gpa: number | bigint) => tables.blobs.find((blob) => blob.gpa === Number(gpa))!;
  const rsdp = at(tables.rsdpGpa);
  assert.equal(Buffer.from(rsdp.bytes.subarray(0, 8)).toString('latin1'), 'RSD PTR ');
  assert.equal(sum(rsdp.bytes.subarray(0, 20)), 0);
  assert.equal(sum(rsdp.bytes), 0);
  const xsdt = at(view(rsdp).getBigUint64(24, true));
  assert.equal(signatureOf(xsdt.bytes), 'XSDT');
  const entries = [];
  for (let offset = 36; offset < xsdt.bytes.length; offset += 8) {
    entries.push(at(view(xsdt).getBigUint64(offset, true)));
  }
  assert.deepEqual(
    entries.map((table) => signatureOf(table.bytes)),
    ['FACP', 'APIC', 'MCFG'],
  );
  const facp = entries[0]!;
  const dsdt = at(view(facp).getBigUint64(140, true));
  assert.equal(view(facp).getUint32(40, true), dsdt.gpa);
  assert.equal(signatureOf(dsdt.bytes), 'DSDT');
  const facs = at(view(facp).getUint32(36, true));
  assert.equal(signatureOf(facs.bytes), 'FACS');
  assert.equal(facs.gpa % 64, 0);
  for (const table of [xsdt, dsdt, ...entries]) {
    assert.equal(sum(table.bytes), 0, table.signature);
    assert.equal(view(table).getUint32(4, true), table.bytes.length, table.signature);
  }
});

test('the FADT tells of the fixed hardware that is there', () => {
  const facp = find(buildAcpiTables(exampleLayout({ i8042: false })), 'FACP');
  const fields = view(facp);
  assert.equal(facp.bytes.length, 276);
  assert.equal(fields.getUint16(46, true), 9, 'SCI_INT');
  assert.equal(fields.getUint32(48, true), 0, 'no SMI command port: always in ACPI mode');
  assert.deepEqual(
    [fields.getUint32(56, true), fields.getUint32(64, true), fields.getUint32(76, true)],
    [0x600, 0x604, 0x608],
  );
  assert.equal(fields.getUint8(108), 0x32, 'CENTURY');
  assert.equal(fields.getUint16(109, true), 0x15, 'legacy devices, no 8042, no VGA, no ASPM');
  assert.deepEqual(
    [...facp.bytes.subarray(116, 129)],
    [1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0, 6],
    'reset',
  );
  const told = find(buildAcpiTables(exampleLayout({ i8042: true })), 'FACP');
  assert.equal(view(told).getUint16(109, true), 0x17);
});

test('the MADT has processors by APIC id, the I/O APIC and the overrides', () => {
  const structures = madtStructures(buildAcpiTables(exampleLayout({ vcpuApicIds: [0, 254, 255, 1000] })));
  const ofType = (type: number) =>
    structures.filter((s) => s.type === type).map((s) => [...s.bytes.subarray(2)]);
  assert.deepEqual(ofType(0), [
    [0, 0, 1, 0, 0, 0],
    [1, 254, 1, 0, 0, 0],
  ]);
  assert.deepEqual(ofType(9), [
    [0, 0, 255, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0],
    [0, 0, 0xe8, 3, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0],
  ]);
  assert.deepEqual(ofType(1), [[0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]]);
  assert.deepEqual(ofType(2), [
    [0, 0, 2, 0, 0, 0, 0, 0], // IRQ 0 at pin 2
    [0, 9, 9, 0, 0, 0, 0x0d, 0], // SCI: level, active high
  ]);
  assert.deepEqual(ofType(4), [[0xff, 0, 0, 1]]);
  assert.equal(ofType(10).length, 1);
});

test('without an override IRQ 0 is at pin 0', () => {
  const structures = madtStructures(buildAcpiTables(exampleLayout({ pitGsi: 0 })));
  assert.deepEqual(
    structures.filter((s) => s.type === 2).map((s) => s.bytes[3]),
    [9],
  );
});

test('the MCFG names the ECAM window', () => {
  const fields = view(find(buildAcpiTables(exampleLayout()), 'MCFG'));
  assert.equal(fields.getBigUint64(44, true), 0xe000_0000n);
  assert.deepEqual([fields.getUint16(52, true), fields.getUint8(54), fields.getUint8(55)], [0, 0, 255]);
});

test('property: tables of any number of processors lie inside their area, without overlap', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), (vcpus) => {
      const layout = exampleLayout({ vcpuApicIds: Array.from({ length: vcpus }, (_, i) => i) });
      const { blobs, rsdpGpa } = buildAcpiTables(layout);
      assert.equal(rsdpGpa % 16, 0);
      let end = layout.tableArea.gpa;
      for (const { gpa, bytes } of blobs) {
        assert.ok(gpa >= end);
        end = gpa + bytes.length;
      }
      assert.ok(end <= layout.tableArea.gpa + layout.tableArea.sizeBytes);
    }),
    { numRuns: 20 },
  );
});

test('tables that do not fit, and an RSDP that is not aligned, are refused', () => {
  const small = { gpa: 0xe0000, sizeBytes: 2048 };
  assert.throws(() => buildAcpiTables(exampleLayout({ tableArea: small })), /need \d+ bytes and have 2048/);
  const crooked = { gpa: 0xe0008, sizeBytes: 0x10000 };
  assert.throws(() => buildAcpiTables(exampleLayout({ tableArea: crooked })), /aligned/);
});
