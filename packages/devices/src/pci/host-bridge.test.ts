import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as pci from '@vireo/spec/pci';
import { ResetControl } from '../reset-control.ts';
import { SavedStateError } from '../saved-state.ts';
import { fuzzDevice } from '../testing/fuzz-device.ts';
import { PciBridge } from './bridge.ts';
import { PciConfigPorts, PciEcam } from './config-access.ts';
import { PciEndpoint } from './endpoint.ts';
import { PciHostBridge } from './host-bridge.ts';

const HOST_BRIDGE_ID = (pci.PCI_DEVICE_ID_REDHAT_PCIE_HOST << 16) | pci.PCI_VENDOR_ID_REDHAT;
const NIC_ID = 0x1041_1af4;

function makeNic(): PciEndpoint {
  return new PciEndpoint({ name: 'nic', ids: { vendorId: 0x1af4, deviceId: 0x1041, classCode: 0x02_0000 } });
}

function makeRoot() {
  const bridge = new PciHostBridge();
  bridge.bus.attach(3, 0, makeNic());
  const count = { resets: 0 };
  const reset = new ResetControl(() => count.resets++);
  return { bridge, count, ecam: new PciEcam(bridge), ports: new PciConfigPorts(bridge, reset) };
}

const ecamOffset = (bus: number, device: number, fn: number, register: number) =>
  bus * 2 ** 20 + device * 2 ** 15 + fn * 2 ** 12 + register;
const configAddress = (bus: number, device: number, register: number) =>
  (0x8000_0000 | (bus << 16) | (device << 11) | register) >>> 0;

test('ECAM: functions where they are, all ones where there are none', () => {
  const { ecam } = makeRoot();
  assert.equal(ecam.read(ecamOffset(0, 0, 0, 0), 4), HOST_BRIDGE_ID);
  assert.equal(ecam.read(ecamOffset(0, 0, 0, 8), 4) >>> 8, pci.PCI_CLASS_BRIDGE_HOST);
  assert.equal(ecam.read(ecamOffset(0, 3, 0, 0), 4), NIC_ID);
  assert.equal(ecam.read(ecamOffset(0, 3, 0, 2), 2), 0x1041);
  const absent = [
    ecamOffset(0, 1, 0, 0),
    ecamOffset(0, 3, 1, 0),
    ecamOffset(1, 0, 0, 0),
    ecamOffset(255, 31, 7, 0),
  ];
  for (const offset of absent) {
    assert.equal(ecam.read(offset, 4), 0xffff_ffff);
    assert.equal(ecam.read(offset, 1), 0xff);
    ecam.write(offset, 4, 0);
  }
});

test('ECAM reaches the extended space, which says that it has no capabilities', () => {
  const { ecam } = makeRoot();
  assert.equal(ecam.read(ecamOffset(0, 3, 0, 0x100), 4), 0);
});

test('accesses that cross registers or functions give their bytes', () => {
  const { ecam } = makeRoot();
  assert.equal(ecam.read(ecamOffset(0, 3, 0, 2), 4), 0x0000_1041);
  assert.equal(ecam.read(ecamOffset(0, 3, 0, 1), 2), 0x411a);
  assert.equal(ecam.read(ecamOffset(0, 3, 0, 0xffe), 4), 0xffff_0000);
  ecam.write(ecamOffset(0, 3, 0, 3), 4, 0x0000_0600);
  assert.equal(ecam.read(ecamOffset(0, 3, 0, pci.PCI_COMMAND), 2), 0x0006);
});

test("mechanism #1 as Linux's pci_check_type1 tries it", () => {
  const { ports } = makeRoot();
  ports.write(3, 1, 0x01);
  assert.equal(ports.read(0, 4), 0);
  ports.write(0, 4, 0x8000_0000);
  assert.equal(ports.read(0, 4), 0x8000_0000);
});

test('mechanism #1: registers by 32, 16 and 8 bits, nothing while it is disabled', () => {
  const { ports } = makeRoot();
  ports.write(0, 4, configAddress(0, 3, 0));
  assert.equal(ports.read(4, 4), NIC_ID);
  assert.equal(ports.read(6, 2), 0x1041);
  assert.equal(ports.read(5, 1), 0x1a);
  ports.write(0, 4, configAddress(0, 3, pci.PCI_COMMAND));
  ports.write(4, 2, pci.PCI_COMMAND_MASTER);
  assert.equal(ports.read(4, 2), pci.PCI_COMMAND_MASTER);
  ports.write(0, 4, configAddress(0, 9, 0));
  assert.equal(ports.read(4, 4), 0xffff_ffff);
  ports.write(0, 4, 0);
  assert.equal(ports.read(4, 4), 0xffff_ffff);
  assert.equal(ports.read(0, 2), 0xffff, 'CONFIG_ADDRESS has 32 bits only');
});

test('a byte at 0xCF9 is the reset control register', () => {
  const { ports, count } = makeRoot();
  ports.write(0, 4, configAddress(0, 3, 0));
  ports.write(1, 1, 0x02);
  ports.write(1, 1, 0x06);
  assert.equal(count.resets, 1);
  assert.equal(ports.read(1, 1), 0x06);
  assert.equal(ports.read(0, 4), configAddress(0, 3, 0));
});

test('a bus behind a bridge is found under the number the guest gave it', () => {
  const { bridge, ecam } = makeRoot();
  const port = new PciBridge('root port', { vendorId: 0x1b36, deviceId: 0x000c });
  const inner = new PciBridge('bridge', { vendorId: 0x1b36, deviceId: 0x000c });
  bridge.bus.attach(4, 0, port);
  port.secondary.attach(0, 0, inner);
  inner.secondary.attach(2, 0, makeNic());
  assert.equal(ecam.read(ecamOffset(0, 4, 0, pci.PCI_HEADER_TYPE), 1), 1);
  assert.equal(ecam.read(ecamOffset(1, 0, 0, 0), 4), 0xffff_ffff);
  ecam.write(ecamOffset(0, 4, 0, pci.PCI_PRIMARY_BUS), 4, 0x0002_0100);
  assert.equal(ecam.read(ecamOffset(1, 0, 0, 0), 4), 0x000c_1b36);
  ecam.write(ecamOffset(1, 0, 0, pci.PCI_PRIMARY_BUS), 4, 0x0002_0201);
  assert.equal(ecam.read(ecamOffset(2, 2, 0, 0), 4), NIC_ID);
  assert.equal(ecam.read(ecamOffset(3, 0, 0, 0), 4), 0xffff_ffff);
  bridge.reset();
  assert.equal(ecam.read(ecamOffset(2, 2, 0, 0), 4), 0xffff_ffff);
});

test('bus numbers in a circle of nonsense end', () => {
  const { bridge, ecam } = makeRoot();
  const port = new PciBridge('root port', { vendorId: 1, deviceId: 1 });
  bridge.bus.attach(4, 0, port);
  ecam.write(ecamOffset(0, 4, 0, pci.PCI_PRIMARY_BUS), 4, 0x00ff_0001);
  ecam.write(ecamOffset(0, 4, 0, pci.PCI_PRIMARY_BUS), 4, 0x00ff_0101);
  for (let bus = 0; bus < 256; bus++) ecam.read(ecamOffset(bus, 0, 0, 0), 4);
  assert.equal(ecam.read(ecamOffset(9, 0, 0, 0), 4), 0xffff_ffff);
});

test('a place that is taken, or none, is refused', () => {
  const { bridge } = makeRoot();
  for (const [device, fn] of [
    [0, 0],
    [3, 0],
    [32, 0],
    [5, 8],
  ] as const) {
    assert.throws(() => bridge.bus.attach(device, fn, makeNic()), RangeError);
  }
});

test('the ports resume as saved and refuse hostile states', () => {
  const { ports } = makeRoot();
  ports.write(0, 4, configAddress(0, 3, 4));
  const restored = makeRoot().ports;
  restored.restore(JSON.parse(JSON.stringify(ports.save())));
  assert.equal(restored.read(0, 4), configAddress(0, 3, 4));
  assert.throws(() => restored.restore({ version: 1, address: -1 }), SavedStateError);
});

test('fuzz: no access to either window throws or answers more than its size', () => {
  const offsets = [0, 1, 2, 4, 5, 6, 0x10, 0x18, 0x19, 0x34, 0x40, 0xffe, 0xfff].flatMap((register) => [
    register,
    ecamOffset(0, 3, 0, register),
    ecamOffset(0, 4, 0, register),
    ecamOffset(1, 0, 0, register),
  ]);
  const make = () => {
    const root = makeRoot();
    root.bridge.bus.attach(4, 0, new PciBridge('root port', { vendorId: 1, deviceId: 1 }));
    return root;
  };
  fuzzDevice({ lengthBytes: 2 ** 28, offsets, make: () => ({ device: make().ecam }) });
  fuzzDevice({ lengthBytes: PciConfigPorts.lengthBytes, make: () => ({ device: make().ports }) });
});
