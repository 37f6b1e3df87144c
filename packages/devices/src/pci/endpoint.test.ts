import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as pci from '@vireo/spec/pci';
import { Bus } from '../bus.ts';
import type { IoDevice } from '../io-device.ts';
import { RecordingLine } from '../testing/recording-line.ts';
import { BarMapper } from './bar-mapper.ts';
import { type BarSpec, PciEndpoint } from './endpoint.ts';

const IDS = {
  vendorId: 0x1af4,
  deviceId: 0x1041,
  classCode: 0x02_0000,
  subsystemVendorId: 0x1af4,
  subsystemId: 0x1100,
};
const MMIO = { base: 0xc000_0000, sizeBytes: 0x1000_0000 };
const MMIO64 = { base: 0x4_0000_0000, sizeBytes: 0x4_0000_0000 };

const constant = (value: number): IoDevice => ({
  name: `always ${value}`,
  read: () => value,
  write: () => {},
});

function makeBuses() {
  const mmio = new Bus('mmio');
  const ports = new Bus('ports');
  const portWindows = [{ base: 0x1000, sizeBytes: 0xf000 }];
  const mapper = new BarMapper({ mmio, mmioWindows: [MMIO, MMIO64], ports, portWindows });
  return { mmio, ports, mapper };
}

function makeEndpoint(bars: BarSpec[], buses = makeBuses()) {
  const line = new RecordingLine();
  const endpoint = new PciEndpoint({
    name: 'test',
    ids: IDS,
    bars,
    mapper: buses.mapper,
    intx: { pin: 0, line },
  });
  return { ...buses, line, endpoint };
}

const bar = (index: number) => pci.PCI_BASE_ADDRESS_0 + 4 * index;
const DECODE = pci.PCI_COMMAND_MEMORY | pci.PCI_COMMAND_IO;

test('identification is where software looks for it', () => {
  const { endpoint } = makeEndpoint([]);
  assert.equal(endpoint.configRead(0x00, 4), 0x1041_1af4);
  assert.equal(endpoint.configRead(0x08, 4), 0x0200_0000);
  assert.equal(endpoint.configRead(0x2c, 4), 0x1100_1af4);
  assert.equal(endpoint.configRead(pci.PCI_INTERRUPT_PIN, 1), 1);
  assert.equal(endpoint.configRead(pci.PCI_HEADER_TYPE, 1), 0);
});

test('§7.5.1.2.1: writing all ones finds the size and kind of each BAR', () => {
  const { endpoint } = makeEndpoint([
    { index: 0, kind: 'memory32', sizeBytes: 0x1000, device: constant(0) },
    { index: 1, kind: 'io', sizeBytes: 0x20, device: constant(0) },
    { index: 2, kind: 'memory64', sizeBytes: 0x4000, prefetchable: true, device: constant(0) },
    { index: 4, kind: 'memory64', sizeBytes: 2 ** 33, device: constant(0) },
  ]);
  for (let index = 0; index < 6; index++) endpoint.configWrite(bar(index), 4, 0xffff_ffff);
  const sizes = [0, 1, 2, 3, 4, 5].map((index) => endpoint.configRead(bar(index), 4));
  assert.deepEqual(sizes, [0xffff_f000, 0x0000_ffe1, 0xffff_c00c, 0xffff_ffff, 0x0000_0004, 0xffff_fffe]);
});

test('a BAR is mapped while the command register lets it decode', () => {
  const { endpoint, mmio, ports } = makeEndpoint([
    { index: 0, kind: 'memory64', sizeBytes: 0x1000, device: constant(0x11) },
    { index: 2, kind: 'io', sizeBytes: 0x20, device: constant(0x22) },
  ]);
  endpoint.configWrite(bar(0), 4, 0x0000_5000);
  endpoint.configWrite(bar(1), 4, 0x0000_0004);
  endpoint.configWrite(bar(2), 4, 0x2000);
  assert.equal(mmio.read(0x4_0000_5000, 1), 0xff);
  endpoint.configWrite(pci.PCI_COMMAND, 2, pci.PCI_COMMAND_MEMORY);
  assert.equal(mmio.read(0x4_0000_5000, 1), 0x11);
  assert.equal(ports.read(0x2000, 1), 0xff);
  endpoint.configWrite(pci.PCI_COMMAND, 1, DECODE);
  assert.equal(ports.read(0x2000, 1), 0x22);
  endpoint.configWrite(bar(0), 4, 0x0000_7000);
  assert.deepEqual([mmio.read(0x4_0000_5000, 1), mmio.read(0x4_0000_7000, 1)], [0xff, 0x11]);
  endpoint.reset();
  assert.equal(mmio.ranges.length + ports.ranges.length, 0);
});

test('a BAR outside the windows is not mapped', () => {
  const { endpoint, mmio } = makeEndpoint([
    { index: 0, kind: 'memory32', sizeBytes: 0x1000, device: constant(1) },
  ]);
  endpoint.configWrite(pci.PCI_COMMAND, 2, DECODE);
  for (const base of [0, 0xfec0_0000, 0xfee0_0000, MMIO.base - 0x1000, MMIO.base + MMIO.sizeBytes]) {
    endpoint.configWrite(bar(0), 4, base);
    assert.equal(mmio.ranges.length, 0, base.toString(16));
  }
});

test('of overlapping BARs the first keeps the address; the other follows when it is free', () => {
  const buses = makeBuses();
  const first = makeEndpoint([{ index: 0, kind: 'memory32', sizeBytes: 0x2000, device: constant(1) }], buses);
  const second = makeEndpoint(
    [{ index: 0, kind: 'memory32', sizeBytes: 0x1000, device: constant(2) }],
    buses,
  );
  for (const { endpoint } of [first, second]) endpoint.configWrite(pci.PCI_COMMAND, 2, DECODE);
  first.endpoint.configWrite(bar(0), 4, MMIO.base);
  second.endpoint.configWrite(bar(0), 4, MMIO.base + 0x1000);
  assert.equal(buses.mmio.read(MMIO.base + 0x1000, 1), 1);
  first.endpoint.configWrite(pci.PCI_COMMAND, 2, 0);
  assert.deepEqual([buses.mmio.read(MMIO.base + 0x1000, 1), buses.mmio.read(MMIO.base, 1)], [2, 0xff]);
});

test('BARs that cannot be made are refused', () => {
  const refused: Partial<BarSpec>[] = [
    { sizeBytes: 0x1001 },
    { sizeBytes: 8 },
    { kind: 'io', sizeBytes: 512 },
    { kind: 'memory64', index: 5 },
    { sizeBytes: 2 ** 32 },
  ];
  for (const change of refused) {
    const spec: BarSpec = { index: 0, kind: 'memory32', sizeBytes: 0x1000, device: constant(0), ...change };
    assert.throws(() => makeEndpoint([spec]), RangeError, JSON.stringify(change));
  }
});

test('capabilities are chained in order, with their writable bits', () => {
  const { endpoint } = makeEndpoint([]);
  assert.equal(endpoint.configRead(pci.PCI_STATUS, 2) & pci.PCI_STATUS_CAP_LIST, 0);
  let writes = 0;
  const first = endpoint.addCapability(pci.PCI_CAP_ID_VNDR, Uint8Array.of(5, 1, 2), Uint8Array.of(0, 0xf0));
  const second = endpoint.addCapability(
    pci.PCI_CAP_ID_MSIX,
    new Uint8Array(10),
    new Uint8Array(10),
    () => writes++,
  );
  assert.equal(endpoint.configRead(pci.PCI_STATUS, 2) & pci.PCI_STATUS_CAP_LIST, pci.PCI_STATUS_CAP_LIST);
  assert.equal(endpoint.configRead(pci.PCI_CAPABILITY_POINTER, 1), first);
  assert.equal(endpoint.configRead(first, 4), 0x0105_0009 | (second << 8));
  assert.equal(endpoint.configRead(second, 2), pci.PCI_CAP_ID_MSIX);
  assert.equal(second % 4, 0);
  endpoint.configWrite(first, 4, 0xffff_ffff);
  assert.equal(endpoint.configRead(first + 3, 1), 0xf1);
  assert.equal(writes, 1);
  assert.throws(() => {
    for (;;) endpoint.addCapability(pci.PCI_CAP_ID_VNDR, new Uint8Array(60), new Uint8Array(60));
  }, /no room/);
});

test('INTx follows the device, the status bit shows it, the command register disables it', () => {
  const { endpoint, line } = makeEndpoint([]);
  endpoint.setIntx(true);
  assert.equal(line.level, true);
  assert.equal(endpoint.configRead(pci.PCI_STATUS, 2) & pci.PCI_STATUS_INTERRUPT, pci.PCI_STATUS_INTERRUPT);
  endpoint.configWrite(pci.PCI_COMMAND, 2, pci.PCI_COMMAND_INTX_DISABLE);
  assert.equal(line.level, false);
  assert.equal(endpoint.configRead(pci.PCI_STATUS, 2) & pci.PCI_STATUS_INTERRUPT, pci.PCI_STATUS_INTERRUPT);
  endpoint.configWrite(pci.PCI_COMMAND, 2, 0);
  assert.equal(line.level, true);
  endpoint.setIntx(false);
  assert.equal(line.level, false);
});

test('a saved function resumes with its BARs mapped', () => {
  const spec: BarSpec = { index: 0, kind: 'memory32', sizeBytes: 0x1000, device: constant(7) };
  const { endpoint } = makeEndpoint([spec]);
  endpoint.configWrite(bar(0), 4, MMIO.base);
  endpoint.configWrite(pci.PCI_COMMAND, 2, DECODE | pci.PCI_COMMAND_MASTER);
  const restored = makeEndpoint([spec]);
  restored.endpoint.restore(JSON.parse(JSON.stringify(endpoint.save())));
  assert.equal(restored.mmio.read(MMIO.base, 1), 7);
  assert.equal(restored.endpoint.busMaster, true);
});
