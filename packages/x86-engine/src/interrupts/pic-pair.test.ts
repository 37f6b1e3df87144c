import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NO_VECTOR, PENDING_INTERRUPT } from './lapic.ts';
import { TestMachine } from './testing/test-controllers.ts';

const MASTER = 0x20;
const SLAVE = 0xa0;
const EOI = 0x20;

function initialised(masterMask = 0, slaveMask = 0, icw4 = 1): TestMachine {
  const machine = TestMachine.enabled();
  machine.initPics(masterMask, slaveMask, icw4);
  return machine;
}

function acknowledge(machine: TestMachine): number {
  return machine.vcpu().acknowledge();
}

/** Reads IRR or ISR by OCW3. */
function readRegister(machine: TestMachine, register: 'irr' | 'isr', port = MASTER): number {
  machine.out(port, register === 'irr' ? 0x0a : 0x0b);
  return machine.inp(port);
}

test('ICW2 gives the vectors, the slave comes in through input 2', () => {
  const machine = initialised();
  machine.pulse(4);
  assert.equal(acknowledge(machine), 0x24);
  machine.out(MASTER, EOI);
  machine.pulse(11);
  assert.equal(acknowledge(machine), 0x2b);
  assert.equal(readRegister(machine, 'isr'), 1 << 2);
  assert.equal(readRegister(machine, 'isr', SLAVE), 1 << 3);
});

test('fully nested: a lower number interrupts a higher, not the other way round, until EOI', () => {
  const machine = initialised();
  machine.pulse(5);
  assert.equal(acknowledge(machine), 0x25);
  machine.pulse(6);
  assert.equal(acknowledge(machine), NO_VECTOR);
  machine.pulse(3);
  assert.equal(acknowledge(machine), 0x23);
  machine.out(MASTER, EOI);
  assert.equal(acknowledge(machine), NO_VECTOR, '5 is still in service');
  machine.out(MASTER, EOI);
  assert.equal(acknowledge(machine), 0x26);
});

test('the slave’s inputs rank between 1 and 3 of the master, by their own order among them', () => {
  const machine = initialised();
  machine.pulse(3);
  machine.pulse(14);
  machine.pulse(9);
  machine.pulse(1);
  const order: number[] = [];
  for (let i = 0; i < 4; i++) {
    const vector = acknowledge(machine);
    order.push(vector);
    if (vector >= 0x28) machine.out(SLAVE, EOI);
    machine.out(MASTER, EOI);
  }
  assert.deepEqual(order, [0x21, 0x29, 0x2e, 0x23]);
});

test('edges at masked inputs wait; the mask reads back', () => {
  const machine = initialised(0xff, 0xff);
  machine.pulse(4);
  assert.equal(machine.vcpu().pending & PENDING_INTERRUPT, 0);
  assert.equal(readRegister(machine, 'irr'), 1 << 4);
  machine.out(MASTER + 1, 0xef);
  assert.equal(machine.inp(MASTER + 1), 0xef);
  assert.equal(acknowledge(machine), 0x24);
  assert.equal(readRegister(machine, 'irr'), 0);
});

test('edge-triggered: a line that stays high interrupts once', () => {
  const machine = initialised();
  machine.controllers.setIrqLine(4, true);
  machine.controllers.setIrqLine(4, true);
  assert.equal(acknowledge(machine), 0x24);
  machine.out(MASTER, EOI);
  assert.equal(acknowledge(machine), NO_VECTOR);
});

test('level-triggered by ELCR: again after each EOI while high, withdrawn when low', () => {
  const machine = initialised();
  machine.out(0x4d0, 0xff);
  machine.out(0x4d1, 0xff);
  assert.equal(machine.inp(0x4d0), 0xf8);
  assert.equal(machine.inp(0x4d1), 0xde);
  machine.controllers.setIrqLine(5, true);
  for (let i = 0; i < 3; i++) {
    assert.equal(acknowledge(machine), 0x25);
    assert.equal(acknowledge(machine), NO_VECTOR);
    machine.out(MASTER, EOI);
  }
  machine.controllers.setIrqLine(5, false);
  assert.equal(machine.vcpu().pending & PENDING_INTERRUPT, 0);
  machine.controllers.setIrqLine(10, true);
  machine.controllers.setIrqLine(10, false);
  assert.equal(machine.vcpu().pending & PENDING_INTERRUPT, 0, 'the cascade is withdrawn, too');
});

test('specific EOI, and the rotations of OCW2', () => {
  const machine = initialised();
  machine.pulse(5);
  acknowledge(machine);
  machine.pulse(3);
  acknowledge(machine);
  machine.out(MASTER, 0x65); // specific EOI of 5
  assert.equal(readRegister(machine, 'isr'), 1 << 3);
  machine.out(MASTER, 0xa0); // non-specific EOI, 3 becomes the lowest
  machine.pulse(3);
  machine.pulse(4);
  assert.equal(acknowledge(machine), 0x24);
  machine.out(MASTER, 0xe4); // specific EOI of 4, which becomes the lowest
  machine.pulse(4);
  assert.equal(acknowledge(machine), 0x23);
  machine.out(MASTER, EOI);
  machine.out(MASTER, 0xc1); // 1 becomes the lowest
  machine.pulse(1);
  assert.equal(acknowledge(machine), 0x24);
});

test('automatic EOI leaves nothing in service; with rotation the one served becomes the lowest', () => {
  const machine = initialised(0, 0, 3);
  machine.pulse(0);
  assert.equal(acknowledge(machine), 0x20);
  assert.equal(readRegister(machine, 'isr'), 0);
  machine.out(MASTER, 0x80); // rotate in automatic EOI mode
  machine.pulse(3);
  assert.equal(acknowledge(machine), 0x23);
  machine.pulse(3);
  machine.pulse(4);
  assert.equal(acknowledge(machine), 0x24);
  machine.out(MASTER, 0x00);
  assert.equal(acknowledge(machine), 0x23);
});

test('special mask mode: masking what is in service lets lower priorities through', () => {
  const machine = initialised();
  machine.pulse(3);
  acknowledge(machine);
  machine.pulse(6);
  machine.out(MASTER + 1, 1 << 3);
  assert.equal(acknowledge(machine), NO_VECTOR);
  machine.out(MASTER, 0x68);
  assert.equal(acknowledge(machine), 0x26);
  machine.out(MASTER, 0x48);
});

test('special fully nested mode: a higher input of the slave interrupts a lower one of it', () => {
  for (const [icw4, expected] of [
    [0x01, NO_VECTOR],
    [0x11, 0x29],
  ] as const) {
    const machine = TestMachine.enabled();
    machine.initPics(0, 0, icw4);
    machine.pulse(12);
    assert.equal(acknowledge(machine), 0x2c);
    machine.pulse(9);
    assert.equal(acknowledge(machine), expected);
  }
});

test('poll: the next read is the INTA cycle', () => {
  const machine = initialised();
  machine.out(MASTER, 0x0c);
  assert.equal(machine.inp(MASTER), 0);
  machine.pulse(6);
  machine.out(MASTER, 0x0c);
  assert.equal(machine.inp(MASTER), 0x86);
  assert.equal(machine.vcpu().pending & PENDING_INTERRUPT, 0);
  assert.equal(readRegister(machine, 'isr'), 1 << 6);
  assert.equal(acknowledge(machine), NO_VECTOR);
});

test('a request that is masked before INTA is withdrawn: there is no vector, and nothing in service', () => {
  const machine = initialised();
  machine.pulse(4);
  machine.out(MASTER + 1, 0xff);
  assert.equal(acknowledge(machine), NO_VECTOR);
  assert.equal(readRegister(machine, 'isr'), 0);
});

test('ICW1 clears mask, service, priorities and edges; a line that is high must rise again', () => {
  const machine = initialised();
  machine.controllers.setIrqLine(4, true);
  machine.out(MASTER, 0xc1, 0x0b, 0x68);
  machine.initPics();
  assert.equal(acknowledge(machine), NO_VECTOR);
  assert.equal(readRegister(machine, 'isr'), 0);
  machine.controllers.setIrqLine(4, true);
  assert.equal(acknowledge(machine), NO_VECTOR);
  machine.controllers.setIrqLine(4, false);
  machine.controllers.setIrqLine(4, true);
  assert.equal(acknowledge(machine), 0x24);
});

test('without IC4 in ICW1 the third command word is the last', () => {
  const machine = TestMachine.enabled();
  machine.out(MASTER, 0x10);
  machine.out(MASTER + 1, 0x40, 4, 0xaa);
  assert.equal(machine.inp(MASTER + 1), 0xaa);
});

test('input 2 is no device’s', () => {
  const machine = initialised();
  machine.pulse(2);
  assert.equal(acknowledge(machine), NO_VECTOR);
});

test('any writes at all leave controllers whose state moves along, and whose output says what INTA gives', () => {
  const ports = [0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1];
  const step = fc.oneof(
    fc.tuple(fc.constantFrom(...ports), fc.integer({ min: 0, max: 255 })),
    fc.tuple(fc.constant(0), fc.integer({ min: 0, max: 31 })),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const machine = initialised();
      for (const [port, value] of steps) {
        if (port === 0) machine.controllers.setIrqLine(value & 15, value >> 4 === 1);
        else machine.out(port, value);
      }
      const other = TestMachine.enabled();
      const state = machine.controllers.getState();
      other.controllers.setState(state);
      assert.deepEqual(other.controllers.getState().picMaster, state.picMaster);
      assert.deepEqual(other.controllers.getState().picSlave, state.picSlave);
      for (let i = 0; i < 3; i++) {
        const pending = (machine.vcpu().pending & PENDING_INTERRUPT) !== 0;
        const vector = acknowledge(machine);
        assert.equal(vector !== NO_VECTOR, pending);
        assert.equal(acknowledge(other), vector);
      }
    }),
    { seed: 20260404, numRuns: 300 },
  );
});
