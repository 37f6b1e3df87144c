import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_VECTOR, PENDING_INIT, PENDING_NMI, PENDING_STARTUP } from './lapic.ts';
import * as apic from './lapic-registers.ts';
import { TestMachine } from './testing/test-controllers.ts';

const NOBODY: readonly number[] = [];

/** Sends an IPI of vCPU `from` in xAPIC mode. */
function ipi(machine: TestMachine, icr: number, destination = 0, from = 0): void {
  machine.write(apic.APIC_ICR_HIGH, (destination << 24) >>> 0, from);
  machine.write(apic.APIC_ICR_LOW, icr, from);
}

function takers(machine: TestMachine): number[] {
  return machine.takeAll().flatMap((vectors, id) => (vectors.length > 0 ? [id] : []));
}

test('a physical destination is the APIC id; FFh is everyone (§10.6.2.1)', () => {
  const machine = TestMachine.enabled(4);
  ipi(machine, 0x4050, 2);
  assert.deepEqual(machine.takeAll(), [[], [], [0x50], []]);
  ipi(machine, 0x4050, 0xff);
  assert.deepEqual(takers(machine), [0, 1, 2, 3]);
  ipi(machine, 0x4050, 9);
  assert.deepEqual(takers(machine), NOBODY);
});

test('shorthands: self, all, all but self; the destination does not matter (§10.6.2.3)', () => {
  const machine = TestMachine.enabled(3);
  for (const [shorthand, expected] of [
    [1, [1]],
    [2, [0, 1, 2]],
    [3, [0, 2]],
  ] as const) {
    ipi(machine, (shorthand << 18) | 0x4051, 0, 1);
    assert.deepEqual(takers(machine), expected);
  }
});

test('flat logical destinations are masks of LDR (§10.6.2.2)', () => {
  const machine = TestMachine.enabled(4);
  for (let id = 0; id < 4; id++) machine.write(apic.APIC_LDR, (1 << (24 + id)) >>> 0, id);
  ipi(machine, 0x4850, 0b1010);
  assert.deepEqual(takers(machine), [1, 3]);
  ipi(machine, 0x4850, 0b10000);
  assert.deepEqual(takers(machine), NOBODY);
  ipi(machine, 0x4850, 0xff);
  assert.deepEqual(takers(machine), [0, 1, 2, 3]);
});

test('cluster logical destinations are a cluster and a mask within it', () => {
  const machine = TestMachine.enabled(4);
  for (const [id, ldr] of [0x01, 0x02, 0x11, 0x12].entries()) {
    machine.write(apic.APIC_DFR, 0, id);
    machine.write(apic.APIC_LDR, (ldr << 24) >>> 0, id);
  }
  assert.equal(machine.read(apic.APIC_DFR), 0x0fffffff);
  ipi(machine, 0x4850, 0x13);
  assert.deepEqual(takers(machine), [2, 3]);
  ipi(machine, 0x4850, 0x02);
  assert.deepEqual(takers(machine), [1]);
  ipi(machine, 0x4850, 0xff);
  assert.deepEqual(takers(machine), [0, 1, 2, 3]);
});

test('x2APIC: 32-bit ids, logical ids by 16, FFFFFFFFh is everyone and FFh is not (§10.12.9, §10.12.10)', () => {
  const machine = TestMachine.x2apic(20);
  const send = (icr: number, destination: number) =>
    machine.vcpu().writeMsr(0x830, (BigInt(destination) << 32n) | BigInt(icr));
  assert.equal(machine.vcpu(18).readMsr(0x80d), 0x10004n);
  send(0x4050, 18);
  assert.deepEqual(takers(machine), [18]);
  send(0x4850, 0x1000c);
  assert.deepEqual(takers(machine), [18, 19]);
  send(0x4850, 0x0000c);
  assert.deepEqual(takers(machine), [2, 3]);
  send(0x4050, 0xff);
  assert.deepEqual(takers(machine), NOBODY);
  send(0x4050, 0xffffffff);
  assert.equal(takers(machine).length, 20);
  send(0x4850, 0xffffffff);
  assert.equal(takers(machine).length, 20);
});

test('from x2APIC to xAPIC: everyone is everyone, wider destinations name nobody', () => {
  const machine = TestMachine.enabled(3);
  machine.write(apic.APIC_LDR, 0x02000000, 1);
  machine.enableX2apic(0);
  const send = (icr: number, destination: number) =>
    machine.vcpu().writeMsr(0x830, (BigInt(destination) << 32n) | BigInt(icr));
  send(0x4050, 0xffffffff);
  assert.deepEqual(takers(machine), [0, 1, 2]);
  send(0x4850, 0x2);
  assert.deepEqual(takers(machine), [1]);
  send(0x4850, 0x102);
  send(0x4050, 0x101);
  assert.deepEqual(takers(machine), NOBODY);
});

test('lowest priority goes to one: the least busy, and of equals each in turn (§10.6.2.4)', () => {
  const machine = TestMachine.enabled(3);
  for (let id = 0; id < 3; id++) machine.write(apic.APIC_LDR, (1 << (24 + id)) >>> 0, id);
  machine.write(apic.APIC_TPR, 0x30, 1);
  const order: number[] = [];
  for (let i = 0; i < 4; i++) {
    ipi(machine, 0x4950, 0b111);
    order.push(...takers(machine));
  }
  assert.deepEqual(order, [2, 0, 2, 0]);
  machine.write(apic.APIC_TPR, 0x40, 0);
  machine.write(apic.APIC_TPR, 0x40, 2);
  ipi(machine, 0x4950, 0b111);
  assert.deepEqual(takers(machine), [1]);
  machine.write(apic.APIC_SVR, 0xff, 1);
  ipi(machine, 0x4950, 0b010);
  assert.deepEqual(takers(machine), NOBODY, 'none that is enabled');
});

test('NMI by IPI, to one and to all but self', () => {
  const machine = TestMachine.enabled(3);
  ipi(machine, 0x4400, 1);
  assert.deepEqual(
    [0, 1, 2].map((id) => machine.vcpu(id).takeNmi()),
    [false, true, false],
  );
  ipi(machine, 0xc4400);
  assert.deepEqual(
    [0, 1, 2].map((id) => machine.vcpu(id).takeNmi()),
    [false, true, true],
  );
});

test('INIT, then SIPI: the INIT resets the local APIC, the SIPI keeps its vector (§8.4.4)', () => {
  const machine = TestMachine.enabled(2);
  const target = machine.vcpu(1);
  machine.message(0x70, 1);
  ipi(machine, 0xc4500);
  ipi(machine, 0xc4609);
  assert.equal(machine.vcpu(0).pending, 0);
  assert.equal(target.pending & (PENDING_INIT | PENDING_STARTUP), PENDING_INIT | PENDING_STARTUP);
  assert.equal(target.takeInit(), true);
  assert.equal(target.takeInit(), false);
  assert.equal(machine.read(apic.APIC_SVR, 1), 0xff);
  assert.equal(target.pendingVector(), NO_VECTOR);
  assert.equal(target.takeSipi(), 9);
  assert.equal(target.takeSipi(), NO_VECTOR);
});

test('INIT voids a SIPI that came before it', () => {
  const machine = TestMachine.enabled(2);
  ipi(machine, 0x4609, 1);
  ipi(machine, 0x4500, 1);
  assert.equal(machine.vcpu(1).pending, PENDING_INIT);
});

test('INIT level de-assert does nothing', () => {
  const machine = TestMachine.enabled(2);
  ipi(machine, 0x8500, 1);
  assert.equal(machine.vcpu(1).pending, 0);
  ipi(machine, 0xc500, 1); // asserted, level
  assert.equal(machine.vcpu(1).pending, PENDING_INIT);
});

test('INIT and SIPI reach an APIC that software disabled; one that is off hears nothing', () => {
  const machine = new TestMachine(2);
  ipi(machine, 0x4500, 1);
  assert.equal(machine.vcpu(1).pending, PENDING_INIT);
  machine.vcpu(1).takeInit();
  machine.vcpu(1).writeApicBase(0xfee00000n);
  ipi(machine, 0x4500, 1);
  ipi(machine, 0x4400, 1);
  assert.equal(machine.vcpu(1).pending, 0);
});

test('in x2APIC mode INIT leaves the mode as it is', () => {
  const machine = TestMachine.x2apic(2);
  machine.vcpu(0).writeMsr(0x830, (1n << 32n) | 0x4500n);
  machine.vcpu(1).takeInit();
  assert.equal(machine.vcpu(1).apicBase, 0xfee00c00n);
  assert.equal(machine.vcpu(1).readMsr(0x802), 1n);
  assert.equal(machine.vcpu(1).readMsr(0x80d), 2n);
});

test('an IPI with a vector below 16 is an error of the sender, and is not sent', () => {
  const machine = TestMachine.enabled(2);
  ipi(machine, 0x4005, 1);
  assert.deepEqual(takers(machine), NOBODY);
  machine.write(apic.APIC_ESR, 0);
  assert.equal(machine.read(apic.APIC_ESR), apic.ESR_SEND_ILLEGAL_VECTOR);
  machine.write(apic.APIC_ESR, 0, 1);
  assert.equal(machine.read(apic.APIC_ESR, 1), 0);
});

test('an IPI is an edge whatever its trigger mode says: no TMR bit, no EOI to the I/O APIC', () => {
  const machine = TestMachine.enabled(2);
  ipi(machine, 0xc050, 1);
  assert.equal(machine.read(apic.APIC_TMR + 0x20, 1), 0);
});

test('the delivery status reads idle', () => {
  const machine = TestMachine.enabled(2);
  ipi(machine, 0x5050, 1);
  assert.equal(machine.read(apic.APIC_ICR_LOW), 0x4050);
  assert.equal(machine.read(apic.APIC_ICR_HIGH), 1 << 24);
});

test('messages: destination, NMI, and false where nobody takes them', () => {
  const machine = TestMachine.enabled(2);
  assert.equal(machine.message(0x55, 1), true);
  assert.deepEqual(machine.takeAll(), [[], [0x55]]);
  assert.equal(machine.message(0x55, 77), false);
  assert.equal(machine.message(0, 1, 0x400), true);
  assert.equal(machine.vcpu(1).pending, PENDING_NMI);
  assert.equal(machine.message(0x55, 1, 0x200), false, 'SMI');
});

test('a message with the redirection hint and a logical destination goes to one (§10.11.1)', () => {
  const machine = TestMachine.enabled(3);
  for (let id = 0; id < 3; id++) machine.write(apic.APIC_LDR, (1 << (24 + id)) >>> 0, id);
  machine.controllers.signalMsi({ address: 0xfee07004n, data: 0x55 });
  assert.deepEqual(takers(machine), [0, 1, 2]);
  machine.controllers.signalMsi({ address: 0xfee0700cn, data: 0x55 });
  assert.equal(takers(machine).length, 1);
});
