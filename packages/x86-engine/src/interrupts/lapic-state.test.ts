import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NEVER } from './controller-memory.ts';
import * as apic from './lapic-registers.ts';
import { TestMachine } from './testing/test-controllers.ts';

const PERIODIC = 1 << 17;
const TSC_DEADLINE = 2 << 17;

function register(page: Uint8Array, offset: number): number {
  return new DataView(page.buffer, page.byteOffset).getUint32(offset, true);
}

function moved(machine: TestMachine, to = TestMachine.enabled(machine.vcpus), id = 0): TestMachine {
  to.vcpu(id).setApicBase(machine.vcpu(id).apicBase);
  to.vcpu(id).setLapic(machine.vcpu(id).getLapic());
  return to;
}

test('the page is as KVM lays it out', () => {
  const machine = TestMachine.enabled(4);
  machine.write(apic.APIC_TPR, 0x12, 3);
  machine.message(0x67, 3);
  const page = machine.vcpu(3).getLapic();
  assert.equal(page.length, 1024);
  assert.equal(register(page, 0x20), 3 << 24);
  assert.equal(register(page, 0x30), 0x50014);
  assert.equal(register(page, 0x80), 0x12);
  assert.equal(register(page, 0xa0), 0x12);
  assert.equal(register(page, 0xf0), 0x1ff);
  assert.equal(register(page, 0x230), 1 << 7);
  assert.equal(register(page, 0x350), 0x10000);
});

test('in x2APIC mode the id is whole and the ICR in two halves, both ways', () => {
  const machine = TestMachine.x2apic(3);
  machine.vcpu(2).writeMsr(0x830, 0x1234_5678_0000_4055n);
  const page = machine.vcpu(2).getLapic();
  assert.equal(register(page, 0x20), 2);
  assert.equal(register(page, 0xd0), 4);
  assert.equal(register(page, 0x300), 0x4055);
  assert.equal(register(page, 0x310), 0x12345678);
  const other = moved(machine, TestMachine.enabled(3), 2);
  assert.equal(other.vcpu(2).readMsr(0x830), 0x1234_5678_0000_4055n);
  assert.deepEqual(other.vcpu(2).getLapic(), page);
});

test('requested, in service, priorities and trigger modes move along', () => {
  const machine = TestMachine.enabled();
  machine.route(20, 0x8055);
  machine.controllers.setIrqLine(20, true);
  assert.equal(machine.vcpu().acknowledge(), 0x55);
  machine.message(0x91);
  machine.write(apic.APIC_TPR, 0x20);
  const other = moved(machine);
  assert.deepEqual(other.vcpu().getLapic(), machine.vcpu().getLapic());
  assert.equal(other.vcpu().acknowledge(), 0x91);
  other.endInterrupt();
  other.endInterrupt();
  assert.deepEqual(other.take(), []);
});

test('a one-shot count that was running goes on, one that had ended does not', () => {
  const machine = TestMachine.enabled();
  machine.write(apic.APIC_LVT_TIMER, 0x50);
  machine.write(apic.APIC_DIVIDE, 0xb);
  machine.write(apic.APIC_INITIAL_COUNT, 1000);
  machine.advance(300n);
  assert.equal(register(machine.vcpu().getLapic(), 0x390), 700);
  const other = moved(machine);
  assert.equal(other.nextDeadline() - other.clock.nowNs, 700n);
  machine.advance(700n);
  machine.take();
  const ended = moved(machine);
  assert.equal(ended.read(apic.APIC_INITIAL_COUNT), 1000);
  assert.equal(ended.nextDeadline(), NEVER);
});

test('a periodic count goes on, then has its whole period', () => {
  const machine = TestMachine.enabled();
  machine.write(apic.APIC_LVT_TIMER, 0x50 | PERIODIC);
  machine.write(apic.APIC_DIVIDE, 0xb);
  machine.write(apic.APIC_INITIAL_COUNT, 1000);
  machine.advance(300n);
  const other = moved(machine);
  other.advance(700n);
  assert.deepEqual(other.take(), [0x50]);
  assert.equal(other.nextDeadline() - other.clock.nowNs, 1000n);
});

test('what is due when the state is taken is in the page as a request', () => {
  const machine = TestMachine.enabled();
  machine.write(apic.APIC_LVT_TIMER, 0x50);
  machine.write(apic.APIC_DIVIDE, 0xb);
  machine.write(apic.APIC_INITIAL_COUNT, 10);
  machine.clock.nowNs += 20n;
  assert.deepEqual(moved(machine).take(), [0x50]);
});

test('the TSC deadline is set after the page', () => {
  const machine = TestMachine.enabled();
  machine.write(apic.APIC_LVT_TIMER, 0x60 | TSC_DEADLINE);
  machine.vcpu().tscDeadline = machine.clock.readTsc(0) + 2000n;
  const other = moved(machine);
  assert.equal(other.nextDeadline(), NEVER);
  other.vcpu().tscDeadline = machine.vcpu().tscDeadline;
  other.advance(1000n);
  assert.deepEqual(other.take(), [0x60]);
});

test('NMI, INIT and SIPI move along', () => {
  const machine = TestMachine.enabled();
  const signals = { nmi: true, init: false, startup: true, sipiVector: 0x9a };
  machine.vcpu().setSignals(signals);
  assert.deepEqual(machine.vcpu().getSignals(), signals);
  assert.equal(machine.vcpu().takeSipi(), 0x9a);
  assert.equal(machine.vcpu().takeNmi(), true);
});

test('a page of another size is refused', () => {
  assert.throws(() => new TestMachine().vcpu().setLapic(new Uint8Array(4096)), RangeError);
});

test('any page at all leaves a local APIC that works, and reads as itself', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1024, maxLength: 1024 }), fc.boolean(), (page, x2apic) => {
      const machine = new TestMachine();
      if (x2apic) machine.enableX2apic();
      const vcpu = machine.vcpu();
      vcpu.setLapic(page);
      const read = vcpu.getLapic();
      assert.equal(register(read, 0x20), 0);
      assert.equal(register(read, 0x200) & 0xffff, 0, 'no illegal vectors');
      const again = new TestMachine();
      if (x2apic) again.enableX2apic();
      again.vcpu().setLapic(read);
      assert.deepEqual(again.vcpu().getLapic(), read);
      machine.advance(1000n);
      assert.ok(machine.take().length <= 256);
    }),
    { seed: 20260403, numRuns: 100 },
  );
});
