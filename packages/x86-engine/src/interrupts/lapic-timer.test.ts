import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NEVER } from './controller-memory.ts';
import * as apic from './lapic-registers.ts';
import { TestMachine } from './testing/test-controllers.ts';

const PERIODIC = 1 << 17;
const TSC_DEADLINE = 2 << 17;
const BY_1 = 0xb;

function counting(lvt: number, count: number, divide = BY_1): TestMachine {
  const machine = TestMachine.enabled();
  machine.write(apic.APIC_DIVIDE, divide);
  machine.write(apic.APIC_LVT_TIMER, lvt);
  machine.write(apic.APIC_INITIAL_COUNT, count);
  return machine;
}

test('one-shot: fires when the count is 0, once; the count stays at 0', () => {
  const machine = counting(0x50, 1000);
  assert.equal(machine.read(apic.APIC_CURRENT_COUNT), 1000);
  machine.advance(400n);
  assert.equal(machine.read(apic.APIC_CURRENT_COUNT), 600);
  machine.advance(599n);
  assert.equal(machine.read(apic.APIC_CURRENT_COUNT), 1);
  assert.deepEqual(machine.take(), []);
  machine.advance(1n);
  assert.deepEqual(machine.take(), [0x50]);
  assert.equal(machine.read(apic.APIC_CURRENT_COUNT), 0);
  assert.equal(machine.nextDeadline(), NEVER);
  machine.advance(10_000n);
  assert.deepEqual(machine.take(), []);
});

test('periodic: fires every period; periods that nobody served are one, and the phase is kept', () => {
  const machine = counting(0x50 | PERIODIC, 1000);
  for (let i = 0; i < 3; i++) {
    machine.advance(1000n);
    assert.deepEqual(machine.take(), [0x50]);
    assert.equal(machine.read(apic.APIC_CURRENT_COUNT), 1000);
  }
  machine.clock.nowNs += 5300n;
  machine.expire();
  assert.deepEqual(machine.take(), [0x50]);
  assert.equal(machine.read(apic.APIC_CURRENT_COUNT), 700);
});

test('a periodic count of 1 goes by without a loop', () => {
  const machine = counting(0x50 | PERIODIC, 1);
  machine.clock.nowNs += 10n ** 15n;
  machine.expire();
  assert.deepEqual(machine.take(), [0x50]);
});

test('every divider (Figure 10-10)', () => {
  for (const [value, divider] of [
    [0b0000, 2],
    [0b0001, 4],
    [0b0010, 8],
    [0b0011, 16],
    [0b1000, 32],
    [0b1001, 64],
    [0b1010, 128],
    [0b1011, 1],
  ] as const) {
    const machine = counting(0x50, 10, value);
    assert.equal(machine.nextDeadline() - machine.clock.nowNs, BigInt(10 * divider));
  }
});

test('a new divider scales what is left', () => {
  const machine = counting(0x50, 1000);
  machine.advance(400n);
  machine.write(apic.APIC_DIVIDE, 0); // by 2
  assert.equal(machine.read(apic.APIC_CURRENT_COUNT), 600);
  assert.equal(machine.nextDeadline() - machine.clock.nowNs, 1200n);
});

test('writing the initial count starts anew, 0 stops', () => {
  const machine = counting(0x50, 1000);
  machine.advance(900n);
  machine.write(apic.APIC_INITIAL_COUNT, 500);
  machine.advance(499n);
  assert.deepEqual(machine.take(), []);
  machine.write(apic.APIC_INITIAL_COUNT, 0);
  assert.equal(machine.nextDeadline(), NEVER);
  machine.advance(10_000n);
  assert.deepEqual(machine.take(), []);
  assert.equal(machine.read(apic.APIC_CURRENT_COUNT), 0);
});

test('masked it counts, asks for nobody and does not interrupt; unmasked later, a count that ended is over', () => {
  const machine = counting(0x50 | apic.LVT_MASKED, 1000);
  assert.equal(machine.nextDeadline(), NEVER);
  machine.clock.nowNs += 250n;
  assert.equal(machine.read(apic.APIC_CURRENT_COUNT), 750);
  machine.clock.nowNs += 1000n;
  assert.equal(machine.read(apic.APIC_CURRENT_COUNT), 0);
  machine.write(apic.APIC_LVT_TIMER, 0x50);
  assert.equal(machine.nextDeadline(), NEVER);
  assert.deepEqual(machine.take(), []);
});

test('masked and periodic it goes on, and interrupts at its phase when unmasked', () => {
  const machine = counting(0x50 | PERIODIC | apic.LVT_MASKED, 1000);
  machine.clock.nowNs += 2300n;
  machine.write(apic.APIC_LVT_TIMER, 0x50 | PERIODIC);
  assert.deepEqual(machine.take(), []);
  assert.equal(machine.nextDeadline() - machine.clock.nowNs, 700n);
});

test('TSC deadline: fires when the TSC has reached it, not before; the MSR then reads 0 (§10.5.4.1)', () => {
  const machine = TestMachine.enabled();
  const vcpu = machine.vcpu();
  machine.clock.tscOffsets.set(0, 12_345n);
  machine.write(apic.APIC_LVT_TIMER, 0x60 | TSC_DEADLINE);
  const deadline = machine.clock.readTsc(0) + 2001n;
  vcpu.tscDeadline = deadline;
  assert.equal(vcpu.tscDeadline, deadline);
  machine.advance(1000n);
  assert.deepEqual(machine.take(), []);
  machine.advance(1n);
  assert.ok(machine.clock.readTsc(0) >= deadline);
  assert.deepEqual(machine.take(), [0x60]);
  assert.equal(vcpu.tscDeadline, 0n);
});

test('TSC deadline: in the past fires at once, 0 disarms, far away never comes early', () => {
  const machine = TestMachine.enabled();
  const vcpu = machine.vcpu();
  machine.write(apic.APIC_LVT_TIMER, 0x60 | TSC_DEADLINE);
  vcpu.tscDeadline = 1n;
  assert.deepEqual(machine.take(), [0x60]);
  vcpu.tscDeadline = machine.clock.readTsc(0) + 100n;
  vcpu.tscDeadline = 0n;
  assert.equal(machine.nextDeadline(), NEVER);
  vcpu.tscDeadline = 2n ** 64n - 1n;
  assert.equal(vcpu.tscDeadline, 2n ** 64n - 1n);
  machine.clock.nowNs += 10n ** 17n;
  machine.expire();
  assert.deepEqual(machine.take(), []);
});

test('TSC deadline: follows a TSC that is set', () => {
  const machine = TestMachine.enabled();
  machine.write(apic.APIC_LVT_TIMER, 0x60 | TSC_DEADLINE);
  machine.vcpu().tscDeadline = machine.clock.readTsc(0) + 2000n;
  machine.clock.tscOffsets.set(0, 1000n);
  machine.vcpu().tscMoved();
  assert.equal(machine.nextDeadline() - machine.clock.nowNs, 500n);
});

test('each mode ignores the other’s register; a change of mode disarms', () => {
  const machine = TestMachine.enabled();
  const vcpu = machine.vcpu();
  vcpu.tscDeadline = 1n; // one-shot
  assert.equal(vcpu.tscDeadline, 0n);
  machine.write(apic.APIC_LVT_TIMER, 0x60 | TSC_DEADLINE);
  machine.write(apic.APIC_INITIAL_COUNT, 1000);
  assert.equal(machine.read(apic.APIC_INITIAL_COUNT), 0);
  assert.equal(machine.read(apic.APIC_CURRENT_COUNT), 0);
  vcpu.tscDeadline = machine.clock.readTsc(0) + 1000n;
  machine.write(apic.APIC_LVT_TIMER, 0x60);
  assert.equal(machine.nextDeadline(), NEVER);
  assert.equal(vcpu.tscDeadline, 0n);
  machine.write(apic.APIC_INITIAL_COUNT, 1000);
  machine.write(apic.APIC_LVT_TIMER, 0x60 | TSC_DEADLINE);
  assert.equal(machine.nextDeadline(), NEVER);
});

test('the count never rises within a period, and is 0 only when the timer has fired', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 0, max: 7 }),
      fc.array(fc.bigInt({ min: 0n, max: 3000n }), { maxLength: 12 }),
      (count, divide, steps) => {
        const machine = counting(0x50, count, (divide & 3) | ((divide & 4) << 1));
        let last = count;
        for (const step of steps) {
          machine.clock.nowNs += step;
          const now = machine.read(apic.APIC_CURRENT_COUNT);
          assert.ok(now <= last);
          assert.equal(now === 0, machine.vcpu().pendingVector() === 0x50);
          last = now;
        }
      },
    ),
    { seed: 20260402, numRuns: 150 },
  );
});
