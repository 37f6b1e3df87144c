import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as pci from '@vireo/spec/pci';
import { Bus } from '../bus.ts';
import { SavedStateError } from '../saved-state.ts';
import { fuzzDevice } from '../testing/fuzz-device.ts';
import { BarMapper } from './bar-mapper.ts';
import { PciEndpoint } from './endpoint.ts';
import { Msix, type MsixMessage, type MsixState } from './msix.ts';

const ENABLE = pci.PCI_MSIX_FLAGS_ENABLE;
const MASK_ALL = pci.PCI_MSIX_FLAGS_MASKALL;

function makeMsix(vectors = 4) {
  const sent: MsixMessage[] = [];
  const changed: number[] = [];
  const msix = new Msix({
    vectors,
    send: (message) => sent.push(message),
    onVectorChange: (vector) => changed.push(vector),
  });
  const mapper = new BarMapper({
    mmio: new Bus('mmio'),
    mmioWindows: [],
    ports: new Bus('ports'),
    portWindows: [],
  });
  const endpoint = new PciEndpoint({
    name: 'test',
    ids: { vendorId: 1, deviceId: 2, classCode: 0 },
    bars: [{ index: 1, kind: 'memory32', sizeBytes: msix.barSizeBytes, device: msix.region }],
    mapper,
  });
  msix.attach(endpoint, 1);
  endpoint.configWrite(pci.PCI_COMMAND, 2, pci.PCI_COMMAND_MASTER);
  const flags = endpoint.configRead(pci.PCI_CAPABILITY_POINTER, 1) + pci.PCI_MSIX_FLAGS;
  return {
    msix,
    sent,
    changed,
    endpoint,
    control: (value: number) => endpoint.configWrite(flags, 2, value),
    readControl: () => endpoint.configRead(flags, 2),
    program: (vector: number, data: number, masked = false) => {
      const entry = vector * pci.PCI_MSIX_ENTRY_SIZE_BYTES;
      msix.region.write(entry + pci.PCI_MSIX_ENTRY_LOWER_ADDR, 4, 0xfee0_1000);
      msix.region.write(entry + pci.PCI_MSIX_ENTRY_UPPER_ADDR, 4, 0);
      msix.region.write(entry + pci.PCI_MSIX_ENTRY_DATA, 4, data);
      msix.region.write(entry + pci.PCI_MSIX_ENTRY_VECTOR_CTRL, 4, masked ? 1 : 0);
    },
    pendingBits: () => msix.region.read(msix.barSizeBytes / 2, 4),
  };
}

test('§7.7.2: the capability says how many vectors there are, and where', () => {
  const { endpoint, msix, readControl } = makeMsix(5);
  const capability = endpoint.configRead(pci.PCI_CAPABILITY_POINTER, 1);
  assert.equal(endpoint.configRead(capability, 1), pci.PCI_CAP_ID_MSIX);
  assert.equal(readControl(), 4);
  assert.equal(endpoint.configRead(capability + pci.PCI_MSIX_TABLE, 4), 1);
  assert.equal(endpoint.configRead(capability + pci.PCI_MSIX_PBA, 4), (msix.barSizeBytes / 2) | 1);
});

test('an enabled, unmasked vector sends its message', () => {
  const { msix, sent, control, program } = makeMsix();
  program(2, 0x4321);
  msix.signal(2);
  assert.equal(sent.length, 0, 'MSI-X is off');
  control(ENABLE);
  msix.signal(2);
  msix.signal(99);
  assert.deepEqual(sent, [{ address: 0xfee0_1000n, data: 0x4321 }]);
});

test('§6.1.4.3: a masked vector is pending until it is unmasked, and is sent once', () => {
  const { msix, sent, control, program, pendingBits } = makeMsix();
  control(ENABLE);
  program(1, 7, true);
  msix.signal(1);
  msix.signal(1);
  assert.deepEqual([sent.length, pendingBits()], [0, 0b10]);
  program(1, 8);
  assert.deepEqual([sent.map((message) => message.data), pendingBits()], [[8], 0]);
});

test('the function mask holds back every vector', () => {
  const { msix, sent, control, program } = makeMsix();
  for (const vector of [0, 1, 2]) program(vector, vector);
  control(ENABLE | MASK_ALL);
  for (const vector of [2, 0]) msix.signal(vector);
  assert.equal(sent.length, 0);
  control(ENABLE);
  assert.deepEqual(
    sent.map((message) => message.data),
    [0, 2],
  );
});

test('without bus mastering nothing is sent', () => {
  const { msix, sent, control, program, endpoint } = makeMsix();
  control(ENABLE);
  program(0, 1);
  endpoint.configWrite(pci.PCI_COMMAND, 2, 0);
  msix.signal(0);
  assert.equal(sent.length, 0);
});

test('vectors are masked at reset, and changes are told of', () => {
  const { msix, changed, program, control } = makeMsix();
  control(ENABLE);
  assert.deepEqual(changed, [0, 1, 2, 3]);
  assert.equal(msix.message(3), undefined);
  changed.length = 0;
  program(3, 1);
  assert.deepEqual(new Set(changed), new Set([3]));
  assert.notEqual(msix.message(3), undefined);
  msix.reset();
  assert.equal(msix.message(3), undefined);
});

test('the pending bits are read-only', () => {
  const { msix, pendingBits } = makeMsix();
  msix.region.write(msix.barSizeBytes / 2, 4, 0xffff_ffff);
  assert.equal(pendingBits(), 0);
});

test('saved state resumes, pending vectors included', () => {
  const { msix, control, program, endpoint } = makeMsix();
  control(ENABLE);
  program(1, 0x55, true);
  msix.signal(1);
  const state: MsixState = JSON.parse(JSON.stringify(msix.save()));
  const restored = makeMsix();
  restored.msix.restore(state);
  restored.endpoint.restore(endpoint.save());
  assert.deepEqual(restored.msix.save(), state);
  restored.program(1, 0x66);
  assert.deepEqual(
    restored.sent.map((message) => message.data),
    [0x66],
  );
});

test('a hostile state is refused', () => {
  const { msix } = makeMsix();
  const state = msix.save();
  for (const change of [{ version: 2 }, { table: [1] }, { pending: [4] }, { pending: [0.5] }]) {
    assert.throws(() => msix.restore({ ...state, ...change } as MsixState), SavedStateError);
  }
});

test('fuzz: no access to table or pending bits throws', () => {
  fuzzDevice({
    lengthBytes: 8192,
    offsets: [0, 4, 8, 12, 28, 44, 60, 63, 64, 4096, 8190],
    make: () => {
      const { msix, control } = makeMsix();
      return {
        device: msix.region,
        host: (event) => (event % 2 ? msix.signal(event % 6) : control(event % 0x10000)),
      };
    },
  });
});
