import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as apic from './lapic-registers.ts';
import { TestMachine } from './testing/test-controllers.ts';

const PIN = 20;
const LEVEL = 1 << 15;
const MASKED = 1 << 16;
const REMOTE_IRR = 1 << 14;

function entry(machine: TestMachine, pin = PIN): number {
  return machine.readIoapic(0x10 + 2 * pin);
}

test('after power-up: version 11h with 24 entries, all masked', () => {
  const machine = new TestMachine();
  assert.equal(machine.readIoapic(1), 0x170011);
  for (let pin = 0; pin < 24; pin++) {
    assert.equal(entry(machine, pin), MASKED);
    assert.equal(machine.readIoapic(0x11 + 2 * pin), 0);
  }
});

test('registers: the id has four bits, entries keep what can be written, others are not there', () => {
  const machine = new TestMachine();
  machine.writeIoapic(0, 0xffffffff);
  assert.equal(machine.readIoapic(0), 0x0f000000);
  assert.equal(machine.readIoapic(2), 0x0f000000);
  machine.writeIoapic(1, 0);
  assert.equal(machine.readIoapic(1), 0x170011);
  machine.writeIoapic(0x10, 0xffffffff);
  machine.writeIoapic(0x11, 0xffffffff);
  assert.equal(machine.readIoapic(0x10), 0x1afff);
  assert.equal(machine.readIoapic(0x11), 0xff000000);
  machine.writeIoapic(0x40, 1);
  assert.equal(machine.readIoapic(0x40), 0xffffffff);
  assert.equal(machine.controllers.readIoapic(0, 1), 0x40);
  assert.equal(machine.controllers.readIoapic(0x20, 4), 0);
});

test('an edge interrupts once, whether the line falls or stays', () => {
  const machine = TestMachine.enabled();
  machine.route(PIN, 0x55);
  machine.controllers.setIrqLine(PIN, true);
  machine.controllers.setIrqLine(PIN, true);
  assert.deepEqual(machine.take(), [0x55]);
  machine.controllers.setIrqLine(PIN, false);
  assert.deepEqual(machine.take(), []);
  machine.pulse(PIN);
  assert.deepEqual(machine.take(), [0x55]);
});

test('an edge at a masked pin is lost, a level is not', () => {
  const machine = TestMachine.enabled();
  machine.route(PIN, 0x55 | MASKED);
  machine.route(PIN + 1, 0x66 | MASKED | LEVEL);
  machine.controllers.setIrqLine(PIN, true);
  machine.controllers.setIrqLine(PIN + 1, true);
  machine.route(PIN, 0x55);
  machine.route(PIN + 1, 0x66 | LEVEL);
  machine.controllers.setIrqLine(PIN + 1, false);
  assert.deepEqual(machine.take(), [0x66]);
});

test('a level sets remote IRR until EOI, and interrupts again while it is high', () => {
  const machine = TestMachine.enabled();
  machine.route(PIN, 0x55 | LEVEL);
  machine.controllers.setIrqLine(PIN, true);
  assert.equal(entry(machine), 0x55 | LEVEL | REMOTE_IRR);
  assert.equal(machine.vcpu().acknowledge(), 0x55);
  assert.equal(machine.read(apic.APIC_TMR + 0x20), 1 << 21);
  assert.equal(machine.vcpu().acknowledge(), -1);
  machine.endInterrupt();
  assert.equal(machine.vcpu().acknowledge(), 0x55);
  assert.equal(entry(machine), 0x55 | LEVEL | REMOTE_IRR);
  machine.controllers.setIrqLine(PIN, false);
  machine.endInterrupt();
  assert.equal(entry(machine), 0x55 | LEVEL);
  assert.deepEqual(machine.take(), []);
});

test('software cannot write remote IRR, and clears it by way of edge-triggered', () => {
  const machine = TestMachine.enabled();
  machine.route(PIN, 0x55 | LEVEL | REMOTE_IRR);
  assert.equal(entry(machine), 0x55 | LEVEL);
  machine.controllers.setIrqLine(PIN, true);
  machine.controllers.setIrqLine(PIN, false);
  machine.route(PIN, 0x55 | LEVEL | MASKED);
  assert.equal(entry(machine), 0x55 | LEVEL | MASKED | REMOTE_IRR);
  machine.route(PIN, 0x55 | MASKED);
  machine.route(PIN, 0x55 | LEVEL);
  assert.equal(entry(machine), 0x55 | LEVEL);
});

test('an EOI while masked clears remote IRR; unmasking then interrupts for a line still high', () => {
  const machine = TestMachine.enabled();
  machine.route(PIN, 0x55 | LEVEL);
  machine.controllers.setIrqLine(PIN, true);
  machine.vcpu().acknowledge();
  machine.route(PIN, 0x55 | LEVEL | MASKED);
  machine.endInterrupt();
  assert.equal(entry(machine), 0x55 | LEVEL | MASKED);
  machine.route(PIN, 0x55 | LEVEL);
  machine.controllers.setIrqLine(PIN, false);
  assert.deepEqual(machine.take(), [0x55]);
});

test('two pins of one vector both hear its EOI', () => {
  const machine = TestMachine.enabled();
  machine.route(PIN, 0x55 | LEVEL);
  machine.route(PIN + 1, 0x55 | LEVEL);
  machine.controllers.setIrqLine(PIN, true);
  machine.controllers.setIrqLine(PIN + 1, true);
  machine.controllers.setIrqLine(PIN, false);
  machine.vcpu().acknowledge();
  machine.endInterrupt();
  assert.equal(entry(machine) & REMOTE_IRR, 0);
  assert.notEqual(entry(machine, PIN + 1) & REMOTE_IRR, 0);
  assert.equal(machine.vcpu().acknowledge(), 0x55);
});

test('the EOI of another vector is not a pin’s', () => {
  const machine = TestMachine.enabled();
  machine.route(PIN, 0x55 | LEVEL);
  machine.route(PIN + 1, 0x66 | LEVEL);
  machine.controllers.setIrqLine(PIN, true);
  machine.controllers.setIrqLine(PIN + 1, true);
  assert.equal(machine.vcpu().acknowledge(), 0x66);
  machine.endInterrupt();
  assert.equal(machine.vcpu().acknowledge(), 0x66);
  assert.equal(entry(machine) & REMOTE_IRR, REMOTE_IRR);
  assert.equal(machine.vcpu().acknowledge(), -1, 'one of 55h, and it waits');
});

test('an edge with a vector that was level-triggered before clears its TMR bit: no EOI to the I/O APIC', () => {
  const machine = TestMachine.enabled();
  machine.route(PIN, 0x55 | LEVEL);
  machine.controllers.setIrqLine(PIN, true);
  machine.message(0x55);
  assert.equal(machine.read(apic.APIC_TMR + 0x20), 0);
});

test('entries route to the APIC they name, physically, logically and by lowest priority', () => {
  const machine = TestMachine.enabled(3);
  for (let id = 0; id < 3; id++) machine.write(apic.APIC_LDR, (1 << (24 + id)) >>> 0, id);
  machine.route(PIN, 0x50, 2);
  machine.pulse(PIN);
  assert.deepEqual(machine.takeAll(), [[], [], [0x50]]);
  machine.route(PIN, 0x51 | 0x800, 0b011);
  machine.pulse(PIN);
  assert.deepEqual(machine.takeAll(), [[0x51], [0x51], []]);
  machine.route(PIN, 0x52 | 0x900, 0b011);
  machine.write(apic.APIC_TPR, 0x10, 0);
  machine.pulse(PIN);
  assert.deepEqual(machine.takeAll(), [[], [0x52], []]);
  machine.route(PIN, 0x400, 1);
  machine.pulse(PIN);
  assert.equal(machine.vcpu(1).takeNmi(), true);
});

test('a level that no APIC takes sets no remote IRR', () => {
  const machine = new TestMachine();
  machine.route(PIN, 0x55 | LEVEL);
  machine.controllers.setIrqLine(PIN, true);
  assert.equal(entry(machine), 0x55 | LEVEL);
});

test('in x2APIC mode EOI reaches the I/O APIC, too', () => {
  const machine = TestMachine.x2apic();
  machine.route(PIN, 0x55 | LEVEL);
  machine.controllers.setIrqLine(PIN, true);
  machine.controllers.setIrqLine(PIN, false);
  assert.deepEqual(machine.take(), [0x55]);
  assert.equal(entry(machine), 0x55 | LEVEL);
});
