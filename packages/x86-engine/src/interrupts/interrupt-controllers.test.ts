import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interruptControllerStateFormat } from '@vireo/hypervisor/state-json';
import { InterruptControllers } from './interrupt-controllers.ts';
import { TestMachine } from './testing/test-controllers.ts';

const LEVEL = 1 << 15;

test('state: what was programmed reads back, through its text form, on a new machine', () => {
  const machine = TestMachine.enabled();
  machine.initPics(0xa5, 0x5a);
  machine.out(0x4d0, 0x20);
  machine.route(18, 0x55 | LEVEL, 3);
  machine.writeIoapic(0, 0x02000000);
  machine.out(0x43, 0x34);
  machine.out(0x40, 0x12, 0x34);
  const state = machine.controllers.getState();
  assert.equal(state.picMaster.imr, 0xa5);
  assert.equal(state.picSlave.irqBase, 0x28);
  assert.equal(state.picMaster.elcrMask, 0xf8);
  assert.equal(state.ioapic.baseAddress, 0xfec00000n);
  assert.equal(state.ioapic.id, 2);
  assert.equal(state.ioapic.redirectionTable[18], (3n << 56n) | 0x8055n);
  assert.equal(state.pit.channels[0].count, 0x3412);
  const other = TestMachine.enabled();
  const text = interruptControllerStateFormat.encode(state);
  other.controllers.setState(interruptControllerStateFormat.decode(text));
  assert.deepEqual(other.controllers.getState(), state);
});

test('state: a level in service interrupts again after its EOI where the line is still high', () => {
  const machine = TestMachine.enabled();
  machine.route(18, 0x55 | LEVEL);
  machine.controllers.setIrqLine(18, true);
  machine.vcpu().acknowledge();
  const other = TestMachine.enabled();
  other.controllers.setState(machine.controllers.getState());
  other.vcpu().setLapic(machine.vcpu().getLapic());
  other.controllers.setIrqLine(18, true);
  assert.deepEqual(other.vcpu().pendingVector(), -1);
  other.endInterrupt();
  assert.equal(other.vcpu().acknowledge(), 0x55);
});

test('state: an edge that was sent is not sent again, one that was not is', () => {
  const machine = TestMachine.enabled();
  machine.route(18, 0x55);
  machine.controllers.setIrqLine(18, true);
  assert.equal(machine.controllers.getState().ioapic.irr, 0);
  const other = TestMachine.enabled();
  other.controllers.setState({
    ...machine.controllers.getState(),
    ioapic: { ...machine.controllers.getState().ioapic, irr: 1 << 18 },
  });
  assert.deepEqual(other.take(), [0x55]);
});

test('state: an edge that came while its pin was masked is still at the pin', () => {
  const machine = TestMachine.enabled();
  machine.route(18, 0x55);
  machine.pulse(18);
  machine.route(18, 0x55 | (1 << 16));
  machine.controllers.setIrqLine(18, true);
  assert.equal(machine.controllers.getState().ioapic.irr, 1 << 18);
});

test('state: an unknown version is refused', () => {
  const machine = new TestMachine();
  const state = { ...machine.controllers.getState(), version: 2 as 1 };
  assert.throws(() => machine.controllers.setState(state), RangeError);
});

test('ports: which are the controllers’, and accesses of several bytes', () => {
  const ports = Array.from({ length: 0x10000 }, (_, port) => port).filter(InterruptControllers.hasPort);
  assert.deepEqual(ports, [0x20, 0x21, 0x40, 0x41, 0x42, 0x43, 0x61, 0xa0, 0xa1, 0x4d0, 0x4d1]);
  const machine = new TestMachine();
  machine.controllers.writePort(0x4d0, 2, 0xffff);
  assert.equal(machine.controllers.readPort(0x4d0, 2), 0xdef8);
  assert.equal(machine.controllers.readPort(0x4d1, 4), 0xffffffde, 'beyond, nothing answers');
  assert.equal(machine.inp(0x43), 0xff);
});

test('the I/O APIC’s addresses', () => {
  assert.deepEqual([0xfebfffff, 0xfec00000, 0xfec000ff, 0xfec00100].map(InterruptControllers.isIoapic), [
    false,
    true,
    true,
    false,
  ]);
});

test('two views of one memory are one machine', () => {
  const clock = { now: () => 0n, readTsc: () => 0n, tscKhz: 1_000_000 };
  const buffer = new SharedArrayBuffer(InterruptControllers.sizeBytes(2));
  const [first, second] = [0, 1].map(() => new InterruptControllers({ buffer, vcpus: 2, clock }));
  first!.initialise();
  first!.vcpu(1).writePage(0xf0, 4, 0x1ff);
  second!.signalMsi({ address: 0xfee01000n, data: 0x42 });
  assert.equal(first!.vcpu(1).acknowledge(), 0x42);
  assert.throws(() => first!.vcpu(2), RangeError);
});
