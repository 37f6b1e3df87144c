import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NO_VECTOR, PENDING_INTERRUPT, PENDING_NMI } from './lapic.ts';
import * as apic from './lapic-registers.ts';
import { TestMachine } from './testing/test-controllers.ts';
import { EXTERNAL_INTERRUPT } from './vcpu-interrupts.ts';

test('of several requests the highest vector comes first (§10.8.3)', () => {
  const machine = TestMachine.enabled();
  for (const vector of [0x40, 0x71, 0x60, 0xff, 0x10]) assert.equal(machine.message(vector), true);
  assert.deepEqual(machine.take(), [0xff, 0x71, 0x60, 0x40, 0x10]);
});

test('acknowledging moves the vector from IRR to ISR, EOI clears the highest in service', () => {
  const machine = TestMachine.enabled();
  machine.message(0x45);
  assert.equal(machine.read(apic.APIC_IRR + 0x20), 1 << 5);
  assert.equal(machine.vcpu().acknowledge(), 0x45);
  assert.equal(machine.read(apic.APIC_IRR + 0x20), 0);
  assert.equal(machine.read(apic.APIC_ISR + 0x20), 1 << 5);
  machine.message(0x87);
  assert.equal(machine.vcpu().acknowledge(), 0x87);
  machine.endInterrupt();
  assert.equal(machine.read(apic.APIC_ISR + 0x40), 0);
  assert.equal(machine.read(apic.APIC_ISR + 0x20), 1 << 5, 'the interrupted one is still in service');
  machine.endInterrupt();
  assert.equal(machine.read(apic.APIC_ISR + 0x20), 0);
  machine.endInterrupt(); // nothing in service: ignored
});

test('the same vector is held once in IRR while another is in service, as in hardware', () => {
  const machine = TestMachine.enabled();
  machine.message(0x50);
  machine.vcpu().acknowledge();
  machine.message(0x50);
  machine.message(0x50);
  assert.equal(machine.vcpu().pendingVector(), NO_VECTOR, 'its own class is in service');
  machine.endInterrupt();
  assert.deepEqual(machine.take(), [0x50]);
});

test('a vector of the same class waits for EOI, a higher class does not', () => {
  const machine = TestMachine.enabled();
  machine.message(0x50);
  machine.vcpu().acknowledge();
  machine.message(0x5f);
  assert.equal(machine.vcpu().acknowledge(), NO_VECTOR);
  machine.message(0x60);
  assert.equal(machine.vcpu().pendingVector(), 0x60);
  assert.equal(machine.vcpu().acknowledge(), 0x60);
});

test('PPR is the task priority, or the class in service where that is higher (§10.8.3.1)', () => {
  const machine = TestMachine.enabled();
  machine.write(apic.APIC_TPR, 0x47);
  assert.equal(machine.read(apic.APIC_PPR), 0x47);
  machine.message(0x53);
  machine.vcpu().acknowledge();
  assert.equal(machine.read(apic.APIC_PPR), 0x50);
  machine.write(apic.APIC_TPR, 0x52);
  assert.equal(machine.read(apic.APIC_PPR), 0x52, 'of one class, TPR with its subclass');
});

test('the task priority holds back its class and below, and lets go when lowered; CR8 is its class', () => {
  const machine = TestMachine.enabled();
  const vcpu = machine.vcpu();
  machine.write(apic.APIC_TPR, 0x40);
  machine.message(0x4f);
  assert.equal(vcpu.pending & PENDING_INTERRUPT, 0);
  machine.message(0x51);
  assert.deepEqual(machine.take(), [0x51]);
  assert.equal(vcpu.pending & PENDING_INTERRUPT, 0);
  vcpu.taskPriority = 3 << 4;
  assert.equal(machine.read(apic.APIC_TPR), 0x30);
  assert.equal(vcpu.pending & PENDING_INTERRUPT, PENDING_INTERRUPT);
  vcpu.taskPriority = 0xf0;
  assert.equal(vcpu.pending & PENDING_INTERRUPT, 0);
  assert.equal(vcpu.taskPriority, 0xf0);
});

test('PENDING_INTERRUPT says exactly whether there is a deliverable vector', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('message' as const), value: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ kind: fc.constant('tpr' as const), value: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ kind: fc.constantFrom('acknowledge' as const, 'eoi' as const), value: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const machine = TestMachine.enabled();
      const requested = new Set<number>();
      const inService: number[] = [];
      for (const { kind, value } of steps) {
        if (kind === 'message' && machine.message(value)) requested.add(value);
        if (kind === 'tpr') machine.write(apic.APIC_TPR, value);
        if (kind === 'eoi') {
          machine.endInterrupt();
          inService.pop();
        }
        const task = machine.read(apic.APIC_TPR) >> 4;
        const threshold = Math.max(task, (inService.at(-1) ?? 0) >> 4);
        const highest = Math.max(-1, ...requested);
        const expected = highest >> 4 > threshold ? highest : NO_VECTOR;
        assert.equal(machine.vcpu().pendingVector(), expected);
        assert.equal((machine.vcpu().pending & PENDING_INTERRUPT) !== 0, expected !== NO_VECTOR);
        if (kind !== 'acknowledge') continue;
        assert.equal(machine.vcpu().acknowledge(), expected);
        if (expected === NO_VECTOR) continue;
        requested.delete(expected);
        inService.push(expected);
      }
    }),
    { seed: 20260401, numRuns: 150 },
  );
});

test('disabled by software, it takes no fixed interrupt but NMI; the LVT is masked and stays so (§10.4.7.2)', () => {
  const machine = TestMachine.enabled();
  machine.write(apic.APIC_LVT_LINT1, 0x400);
  machine.write(apic.APIC_SVR, 0xff);
  assert.equal(machine.message(0x50), false);
  assert.equal(machine.message(0, 0, 0x400), true);
  for (const lvt of apic.APIC_LVTS) assert.notEqual(machine.read(lvt) & apic.LVT_MASKED, 0);
  machine.write(apic.APIC_LVT_LINT0, 0x700);
  assert.equal(machine.read(apic.APIC_LVT_LINT0), 0x10700);
  machine.write(apic.APIC_SVR, 0x1ff);
  machine.write(apic.APIC_LVT_LINT0, 0x700);
  assert.equal(machine.read(apic.APIC_LVT_LINT0), 0x700);
});

test('what was requested before it was disabled by software is still deliverable', () => {
  const machine = TestMachine.enabled();
  machine.message(0x50);
  machine.write(apic.APIC_SVR, 0xff);
  assert.deepEqual(machine.take(), [0x50]);
});

test('a vector below 16 is refused, and an error (§10.5.3)', () => {
  const machine = TestMachine.enabled();
  machine.write(apic.APIC_LVT_ERROR, 0xe0);
  assert.equal(machine.message(15), false);
  assert.deepEqual(machine.take(), [0xe0]);
  assert.equal(machine.read(apic.APIC_ESR), 0, 'not before it is written');
  machine.write(apic.APIC_ESR, 0);
  assert.equal(machine.read(apic.APIC_ESR), apic.ESR_RECEIVE_ILLEGAL_VECTOR);
  machine.write(apic.APIC_ESR, 0);
  assert.equal(machine.read(apic.APIC_ESR), 0);
});

test('errors gather until the register is written', () => {
  const machine = TestMachine.enabled();
  machine.message(15);
  machine.write(apic.APIC_ICR_LOW, 0x4005);
  machine.read(0x40);
  machine.write(apic.APIC_ESR, 0);
  assert.equal(machine.read(apic.APIC_ESR), 0xe0);
});

test('an illegal vector in the error entry itself does not recur', () => {
  const machine = TestMachine.enabled();
  machine.write(apic.APIC_LVT_ERROR, 3);
  assert.equal(machine.message(5), false);
  assert.deepEqual(machine.take(), []);
});

test('NMIs are taken once each, whatever the priority', () => {
  const machine = TestMachine.enabled();
  const vcpu = machine.vcpu();
  machine.write(apic.APIC_TPR, 0xff);
  vcpu.injectNmi();
  assert.equal(vcpu.pending, PENDING_NMI);
  assert.equal(vcpu.takeNmi(), true);
  assert.equal(vcpu.takeNmi(), false);
});

test('LINT0 as ExtINT lets the 8259As through, masked it does not; the APIC off, INTR is the processor’s own', () => {
  const machine = TestMachine.enabled(2);
  machine.initPics();
  machine.controllers.setIrqLine(4, true);
  assert.equal(machine.vcpu().pendingVector(), EXTERNAL_INTERRUPT);
  assert.equal(machine.vcpu(1).pendingVector(), NO_VECTOR);
  machine.write(apic.APIC_LVT_LINT0, 0x10700);
  assert.equal(machine.vcpu().pending & PENDING_INTERRUPT, 0);
  assert.equal(machine.vcpu(1).writeApicBase(0xfee00000n), 'ok');
  assert.equal(machine.vcpu(1).pendingVector(), EXTERNAL_INTERRUPT);
  assert.equal(machine.vcpu(1).acknowledge(), 0x24);
});

test('an external interrupt goes before the local APIC’s, and is not held back by the task priority', () => {
  const machine = TestMachine.enabled();
  machine.initPics();
  machine.write(apic.APIC_TPR, 0xf0);
  machine.message(0xff);
  machine.pulse(3);
  assert.equal(machine.vcpu().acknowledge(), 0x23);
  assert.equal(machine.vcpu().acknowledge(), NO_VECTOR);
});

for (const [mode, name] of [
  [0x0, 'fixed'],
  [0x400, 'NMI'],
] as const) {
  test(`LINT0 as ${name} turns each rise of the 8259As’ output into one`, () => {
    const machine = TestMachine.enabled();
    machine.initPics();
    machine.write(apic.APIC_LVT_LINT0, mode | 0x61);
    machine.pulse(1);
    if (mode === 0) assert.deepEqual(machine.take(), [0x61]);
    else assert.equal(machine.vcpu().takeNmi(), true);
    assert.equal(machine.vcpu().pending, 0);
  });
}

test('after power-up: disabled by software, LVT masked, the boot processor’s LINT0 in virtual wire mode', () => {
  const machine = new TestMachine(2);
  for (const id of [0, 1]) {
    assert.equal(machine.read(apic.APIC_ID, id), id * 2 ** 24);
    assert.equal(machine.read(apic.APIC_VERSION, id), 0x50014);
    assert.equal(machine.read(apic.APIC_SVR, id), 0xff);
    assert.equal(machine.read(apic.APIC_DFR, id), 0xffffffff);
    assert.equal(machine.read(apic.APIC_LVT_LINT1, id), 0x10000);
    assert.equal(machine.read(apic.APIC_LVT_LINT0, id), id === 0 ? 0x700 : 0x10000);
    assert.equal(machine.vcpu(id).apicBase, id === 0 ? 0xfee00900n : 0xfee00800n);
  }
});

test('a wake is counted when a bit of `pending` is new, and only then', () => {
  const machine = TestMachine.enabled();
  const vcpu = machine.vcpu();
  const before = vcpu.wakeCount;
  machine.message(0x50);
  assert.equal(vcpu.wakeCount, before + 1);
  machine.message(0x51);
  assert.equal(vcpu.wakeCount, before + 1);
  vcpu.injectNmi();
  assert.equal(vcpu.wakeCount, before + 2);
  vcpu.sleep(before); // returns at once: the count has moved on
});
