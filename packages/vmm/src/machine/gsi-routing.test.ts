import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PIT_IOAPIC_PIN, pcGsiRoutes } from './gsi-routing.ts';
import * as ports from './ports.ts';

/** The pins that a GSI leads to. */
function pinsOf(gsi: number): string[] {
  return pcGsiRoutes()
    .filter((route) => route.gsi === gsi)
    .map((route) => (route.kind === 'irqchip' ? `${route.chip} ${route.pin}` : 'msi'));
}

test('ISA lines lead to both kinds of controller, as on a PC/AT', () => {
  assert.deepEqual(pinsOf(ports.KEYBOARD_GSI), ['pic-master 1', 'ioapic 1']);
  assert.deepEqual(pinsOf(ports.COM1_GSI), ['pic-master 4', 'ioapic 4']);
  assert.deepEqual(pinsOf(7), ['pic-master 7', 'ioapic 7']);
  assert.deepEqual(pinsOf(ports.RTC_GSI), ['pic-slave 0', 'ioapic 8']);
  assert.deepEqual(pinsOf(ports.SCI_GSI), ['pic-slave 1', 'ioapic 9']);
  assert.deepEqual(pinsOf(15), ['pic-slave 7', 'ioapic 15']);
});

test('the PIT is on pin 2 of the I/O APIC, and the cascade is no device’s', () => {
  assert.deepEqual(pinsOf(0), ['pic-master 0', `ioapic ${PIT_IOAPIC_PIN}`]);
  assert.deepEqual(pinsOf(2), []);
});

test('the other lines lead to the I/O APIC alone, up to its 24 pins', () => {
  for (let gsi = 16; gsi < 24; gsi++) assert.deepEqual(pinsOf(gsi), [`ioapic ${gsi}`]);
  assert.deepEqual(pinsOf(24), []);
});

test('no pin is reached by two lines', () => {
  const pins = pcGsiRoutes().map((route) =>
    route.kind === 'irqchip' ? `${route.chip} ${route.pin}` : 'msi',
  );
  assert.equal(new Set(pins).size, pins.length);
  assert.ok(!pins.includes('pic-master 2'));
});
