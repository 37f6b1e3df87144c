import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as layout from './layout.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;
const SIZES = {
  '1 MiB': MIB,
  '2 MiB': 2 * MIB,
  '256 MiB': 256 * MIB,
  '3 GiB': 3 * GIB,
  '3 GiB and 1 MiB': 3 * GIB + MIB,
  '5 GiB': 5 * GIB,
  '15 GiB': 15 * GIB,
  '31 GiB': 31 * GIB,
  '1 TiB': TIB,
};

const ends = ({ gpa, sizeBytes }: { gpa: number; sizeBytes: number }) => gpa + sizeBytes;

/** Everything of the machine's that is not RAM, below 4 GiB. */
const HOLE = [
  layout.PCI_MMIO32,
  layout.ECAM,
  { gpa: layout.IOAPIC_GPA, sizeBytes: 4096 },
  { gpa: layout.LAPIC_GPA, sizeBytes: 4096 },
  { gpa: 0xfffbc000, sizeBytes: 4 * 4096 }, // KVM's identity map and TSS
];

describe('RAM', () => {
  test('is in one piece up to the hole, and goes on at 4 GiB', () => {
    assert.deepEqual(layout.ramRanges(256 * MIB), [{ gpa: 0, sizeBytes: 256 * MIB, offsetBytes: 0 }]);
    assert.deepEqual(layout.ramRanges(3 * GIB), [{ gpa: 0, sizeBytes: 3 * GIB, offsetBytes: 0 }]);
    assert.deepEqual(layout.ramRanges(5 * GIB), [
      { gpa: 0, sizeBytes: 3 * GIB, offsetBytes: 0 },
      { gpa: 4 * GIB, sizeBytes: 2 * GIB, offsetBytes: 3 * GIB },
    ]);
    assert.deepEqual(layout.ramRanges(TIB), [
      { gpa: 0, sizeBytes: 3 * GIB, offsetBytes: 0 },
      { gpa: 4 * GIB, sizeBytes: TIB - 3 * GIB, offsetBytes: 3 * GIB },
    ]);
  });

  for (const [name, sizeBytes] of Object.entries(SIZES)) {
    test(`${name}: all of the backing is used once, and none of it lies in the hole`, () => {
      const ranges = layout.ramRanges(sizeBytes);
      let offset = 0;
      for (const range of ranges) {
        assert.equal(range.offsetBytes, offset);
        assert.ok(range.sizeBytes > 0);
        offset += range.sizeBytes;
        for (const hole of HOLE) assert.ok(ends(range) <= hole.gpa || range.gpa >= ends(hole));
      }
      assert.equal(offset, sizeBytes);
    });
  }
});

describe('memory map (ACPI 6.5 §15 "System Address Map Interfaces")', () => {
  for (const [name, sizeBytes] of Object.entries(SIZES)) {
    test(`${name}: in order, without overlaps or empty entries`, () => {
      const map = layout.memoryMap(sizeBytes);
      for (const [i, entry] of map.entries()) {
        assert.ok(entry.sizeBytes > 0);
        const next = map[i + 1];
        if (next) assert.ok(ends(entry) <= next.gpa, `entry ${i}`);
      }
    });

    test(`${name}: RAM is what is backed, save the legacy area`, () => {
      const ram = layout.memoryMap(sizeBytes).filter(({ kind }) => kind === 'ram');
      for (const entry of ram) {
        const backed = layout.ramRanges(sizeBytes).some((r) => r.gpa <= entry.gpa && ends(entry) <= ends(r));
        assert.ok(backed, `0x${entry.gpa.toString(16)}`);
      }
      const total = ram.reduce((sum, entry) => sum + entry.sizeBytes, 0);
      assert.equal(total, sizeBytes - (MIB - layout.LOW_RAM_END_GPA));
    });
  }

  test('reserves the ECAM: Linux uses it only where the map does (arch/x86/pci/mmconfig-shared.c)', () => {
    for (const sizeBytes of Object.values(SIZES)) {
      const { gpa, sizeBytes: ecamBytes } = layout.ECAM;
      assert.ok(
        layout
          .memoryMap(sizeBytes)
          .some((entry) => entry.kind === 'reserved' && entry.gpa <= gpa && ends(entry) >= gpa + ecamBytes),
      );
    }
  });

  test('reserves what lies between conventional memory and 1 MiB, ACPI tables included', () => {
    const [low, legacy] = layout.memoryMap(256 * MIB);
    assert.deepEqual(low, { gpa: 0, sizeBytes: 0x9fc00, kind: 'ram' });
    assert.deepEqual(legacy, { gpa: 0x9fc00, sizeBytes: 0x60400, kind: 'reserved' });
    assert.ok(layout.ACPI_TABLES.gpa >= legacy.gpa && ends(layout.ACPI_TABLES) <= ends(legacy));
  });
});

describe('the PCI hole', () => {
  test('has its parts side by side, below 4 GiB', () => {
    const parts = [...HOLE].sort((a, b) => a.gpa - b.gpa);
    for (const [i, part] of parts.entries()) {
      assert.ok(part.gpa >= layout.PCI_HOLE_GPA && ends(part) <= layout.HIGH_RAM_GPA);
      const next = parts[i + 1];
      if (next) assert.ok(ends(part) <= next.gpa);
    }
  });

  test('ECAM has 1 MiB for each bus and is aligned to it', () => {
    const { sizeBytes, firstBus, lastBus, gpa } = layout.ECAM;
    assert.equal(sizeBytes, (lastBus - firstBus + 1) * MIB);
    assert.equal(gpa % (256 * MIB), 0);
  });
});

describe('the 64-bit PCI window', () => {
  for (const [name, sizeBytes] of Object.entries(SIZES)) {
    test(`${name}: above all RAM, aligned to its size`, () => {
      const gpa = layout.pciMmio64Gpa(sizeBytes);
      assert.equal(gpa % layout.PCI_MMIO64_SIZE_BYTES, 0);
      assert.ok(gpa >= layout.HIGH_RAM_GPA);
      for (const range of layout.ramRanges(sizeBytes)) assert.ok(ends(range) <= gpa);
      // No more than one window's size of addresses is wasted.
      const top = Math.max(4 * GIB, ...layout.ramRanges(sizeBytes).map(ends));
      assert.ok(gpa - top < layout.PCI_MMIO64_SIZE_BYTES);
    });
  }

  test('is within 36 bits of physical address up to 47 GiB of RAM, within 39 up to 495 GiB', () => {
    const end = (memoryBytes: number) => layout.pciMmio64Gpa(memoryBytes) + layout.PCI_MMIO64_SIZE_BYTES;
    for (const sizeBytes of [256 * MIB, 5 * GIB, 31 * GIB, 47 * GIB]) assert.ok(end(sizeBytes) <= 2 ** 36);
    assert.ok(end(495 * GIB) <= 2 ** 39);
    assert.ok(end(496 * GIB) > 2 ** 39);
  });

  test('is left out where the processor’s addresses end before it', () => {
    assert.deepEqual(layout.pciMmio64(47 * GIB, 36), { gpa: 48 * GIB, sizeBytes: 16 * GIB });
    assert.equal(layout.pciMmio64(48 * GIB, 36), undefined);
    assert.ok(layout.pciMmio64(48 * GIB, 40));
  });
});
