import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GsiRoute } from '@vireo/hypervisor';
import { MAX_ROUTES } from './controller-memory.ts';
import { TestMachine } from './testing/test-controllers.ts';

function message(gsi: number, data: number): GsiRoute {
  return { kind: 'msi', gsi, msi: { address: 0xfee00000n, data } };
}

test('until told otherwise GSI n leads to pin n and, below 16, to input n', () => {
  const machine = TestMachine.enabled();
  machine.initPics(0, 0, 3);
  for (let pin = 0; pin < 24; pin++) machine.route(pin, 0x60 + pin);
  for (let gsi = 0; gsi < 24; gsi++) {
    machine.pulse(gsi);
    const expected = gsi < 16 && gsi !== 2 ? [0x20 + gsi, 0x60 + gsi] : [0x60 + gsi];
    assert.deepEqual(machine.take(), expected);
  }
});

test('a table replaces the one before, several routes of a GSI are all followed', () => {
  const machine = TestMachine.enabled();
  machine.initPics(0, 0, 3);
  machine.route(20, 0x60);
  machine.route(22, 0x62);
  machine.controllers.setGsiRouting([
    message(30, 0x70),
    { kind: 'irqchip', gsi: 20, chip: 'ioapic', pin: 22 },
    { kind: 'irqchip', gsi: 20, chip: 'pic-slave', pin: 3 },
    message(20, 0x71),
    { kind: 'irqchip', gsi: 5, chip: 'pic-master', pin: 6 },
  ]);
  machine.pulse(20);
  assert.deepEqual(machine.take(), [0x2b, 0x71, 0x62]);
  machine.pulse(5);
  assert.deepEqual(machine.take(), [0x26]);
  machine.pulse(22);
  machine.pulse(4095);
  machine.pulse(-1);
  assert.deepEqual(machine.take(), []);
});

test('a GSI that is a message sends it when the line rises, not when it falls', () => {
  const machine = TestMachine.enabled();
  machine.controllers.setGsiRouting([message(30, 0x70)]);
  machine.controllers.setIrqLine(30, true);
  assert.deepEqual(machine.take(), [0x70]);
  machine.controllers.setIrqLine(30, false);
  assert.deepEqual(machine.take(), []);
});

test('a table of the greatest size finds its routes', () => {
  const machine = TestMachine.enabled();
  const routes = Array.from({ length: MAX_ROUTES }, (_, i) => message(MAX_ROUTES - 1 - i, 0x20 + (i % 200)));
  machine.controllers.setGsiRouting(routes);
  for (const gsi of [0, 1, 777, 4095]) {
    machine.pulse(gsi);
    assert.deepEqual(machine.take(), [0x20 + ((MAX_ROUTES - 1 - gsi) % 200)]);
  }
});

test('what cannot be set is refused, and the table before stays', () => {
  const machine = TestMachine.enabled();
  machine.controllers.setGsiRouting([message(30, 0x70)]);
  for (const bad of [
    [message(4096, 0x70)],
    [message(-1, 0x70)],
    [{ kind: 'irqchip', gsi: 1, chip: 'ioapic', pin: 24 } as const],
    [{ kind: 'irqchip', gsi: 1, chip: 'pic-master', pin: 8 } as const],
    Array.from({ length: MAX_ROUTES + 1 }, () => message(1, 0x70)),
  ])
    assert.throws(() => machine.controllers.setGsiRouting(bad), RangeError);
  machine.pulse(30);
  assert.deepEqual(machine.take(), [0x70]);
});

test('a message’s destination above FFh is in the address’s high half', () => {
  const machine = TestMachine.x2apic(2);
  const send = (high: bigint) =>
    machine.controllers.signalMsi({ address: 0xfee01000n | (high << 32n), data: 0x55 });
  assert.equal(send(0n), true);
  assert.equal(send(0x100n), false);
});

test('a level-triggered message sets the trigger mode, and its EOI finds no pin', () => {
  const machine = TestMachine.enabled();
  assert.equal(machine.message(0x55, 0, 0xc000), true);
  assert.equal(machine.read(0x1a0), 1 << 21);
  assert.deepEqual(machine.take(), [0x55]);
});
