import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NEVER } from './controller-memory.ts';
import { TestMachine } from './testing/test-controllers.ts';

const CONTROL = 0x43;
const CHANNEL_0 = 0x40;
const CHANNEL_2 = 0x42;
const PORT_61 = 0x61;
const VECTOR = 0x20;
const HZ = 1_193_182n;

/** The first nanosecond at which so many ticks have passed. */
function ns(ticks: number): bigint {
  return (BigInt(ticks) * 1_000_000_000n + HZ - 1n) / HZ;
}

function machineWithPic(): TestMachine {
  const machine = TestMachine.enabled();
  machine.initPics(0, 0, 3); // automatic EOI
  return machine;
}

function programmed(control: number, ...bytes: number[]): TestMachine {
  const machine = machineWithPic();
  machine.out(CONTROL, control);
  machine.out(CHANNEL_0 + (control >> 6), ...bytes);
  return machine;
}

function ticksTaken(machine: TestMachine): number {
  let ticks = 0;
  for (; machine.vcpu().acknowledge() === VECTOR; ) ticks++;
  return ticks;
}

/** Counter 2's output at port 61h. */
function output(machine: TestMachine): number {
  return (machine.inp(PORT_61) >> 5) & 1;
}

function latched(machine: TestMachine, channel: number): number {
  machine.out(CONTROL, channel << 6);
  const low = machine.inp(CHANNEL_0 + channel);
  return low | (machine.inp(CHANNEL_0 + channel) << 8);
}

for (const [mode, control] of [
  [2, 0x34],
  [3, 0x36],
  [6, 0x3c],
] as const) {
  test(`mode ${mode}: an interrupt each period, on time in the long run`, () => {
    const machine = programmed(control, 0x00, 0x10);
    const start = machine.clock.nowNs;
    for (let period = 1; period <= 50; period++) {
      assert.equal(machine.nextDeadline(), start + ns(4096 * period));
      machine.advance(machine.nextDeadline() - machine.clock.nowNs);
      assert.equal(ticksTaken(machine), 1);
    }
  });
}

test('periods that nobody served are one, and the phase is kept', () => {
  const machine = programmed(0x34, 0xe8, 0x03);
  const start = machine.clock.nowNs;
  machine.clock.nowNs += ns(10_500);
  machine.expire();
  assert.equal(ticksTaken(machine), 1);
  assert.equal(machine.nextDeadline(), start + ns(11_000));
});

for (const [mode, control] of [
  [0, 0x30],
  [4, 0x38],
] as const) {
  test(`mode ${mode}: one interrupt at the end of the count; a new count starts over`, () => {
    const machine = programmed(control, 0xe8, 0x03);
    machine.advance(ns(999));
    assert.equal(ticksTaken(machine), 0);
    machine.out(CHANNEL_0, 0xe8, 0x03);
    machine.advance(ns(1000) - 1n);
    assert.equal(ticksTaken(machine), 0);
    machine.advance(1n);
    assert.equal(ticksTaken(machine), 1);
    assert.equal(machine.nextDeadline(), NEVER);
  });
}

test('a control word stops the counter until a count comes', () => {
  const machine = programmed(0x34, 0x00, 0x10);
  machine.out(CONTROL, 0x30);
  assert.equal(machine.nextDeadline(), NEVER);
  machine.out(CHANNEL_0, 0x10);
  assert.equal(machine.nextDeadline(), NEVER, 'half a count is none');
  machine.out(CHANNEL_0, 0x00);
  assert.equal(machine.nextDeadline(), machine.clock.nowNs + ns(16));
});

test('an edge that was due before the timer was programmed anew is not lost', () => {
  const machine = programmed(0x30, 0xe8, 0x03);
  machine.clock.nowNs += ns(1000);
  machine.out(CONTROL, 0x34);
  assert.equal(ticksTaken(machine), 1);
});

test('modes 1 and 5 need a gate’s edge, which counter 0 does not get', () => {
  for (const control of [0x32, 0x3a]) assert.equal(programmed(control, 0, 1).nextDeadline(), NEVER);
});

test('a count of 0 is the largest: 65536, or 10000 in BCD', () => {
  const binary = programmed(0x34, 0, 0);
  assert.equal(binary.nextDeadline(), binary.clock.nowNs + ns(65536));
  const bcd = programmed(0x35, 0, 0);
  assert.equal(bcd.nextDeadline(), bcd.clock.nowNs + ns(10000));
});

test('one-byte counts: low only, high only', () => {
  const low = programmed(0x14, 0x20);
  assert.equal(low.nextDeadline(), low.clock.nowNs + ns(0x20));
  const high = programmed(0x24, 0x20);
  assert.equal(high.nextDeadline(), high.clock.nowNs + ns(0x2000));
});

test('reading: low and high byte alternate, a latched count stays until both are read', () => {
  const machine = programmed(0x34, 0x00, 0x10);
  machine.clock.nowNs += ns(1);
  machine.out(CONTROL, 0x00);
  machine.clock.nowNs += ns(500);
  machine.out(CONTROL, 0x00); // latched already: ignored
  assert.equal(machine.inp(CHANNEL_0), 0xff);
  machine.clock.nowNs += ns(500);
  assert.equal(machine.inp(CHANNEL_0), 0x0f);
  const now = machine.inp(CHANNEL_0) | (machine.inp(CHANNEL_0) << 8);
  assert.ok(Math.abs(now - (4096 - 1001)) <= 2, String(now));
});

test('counts in BCD read as BCD', () => {
  const machine = programmed(0x35, 0x00, 0x50);
  machine.clock.nowNs += ns(1);
  assert.equal(latched(machine, 0), 0x4999);
});

test('read-back: status first, then the count; null count until a count is loaded', () => {
  const machine = machineWithPic();
  machine.out(CONTROL, 0xb6);
  machine.out(CONTROL, 0xe8); // status of counter 2
  assert.equal(machine.inp(CHANNEL_2), 0x80 | 0x40 | 0x36);
  machine.out(CHANNEL_2, 0x00, 0x20);
  machine.out(CONTROL, 0xc8); // both
  machine.out(CONTROL, 0xb6); // unlatches
  machine.out(CONTROL, 0xe8);
  machine.out(CHANNEL_2, 0x00, 0x20);
  machine.out(CONTROL, 0xe8); // latched already: ignored
  assert.equal(machine.inp(CHANNEL_2), 0x80 | 0x40 | 0x36);
  machine.out(CONTROL, 0xc8);
  assert.equal(machine.inp(CHANNEL_2), 0x80 | 0x36);
  assert.equal(machine.inp(CHANNEL_2), 0x00);
  assert.equal(machine.inp(CHANNEL_2), 0x20);
});

test('a terminal count does not stop the counter in mode 0', () => {
  const machine = programmed(0x30, 0x10, 0x00);
  machine.advance(ns(0x11));
  assert.equal(latched(machine, 0), 0xffff);
});

test('mode 3 counts by two, down and once more', () => {
  const machine = programmed(0x36, 100, 0);
  for (const [ticks, count] of [
    [0, 100],
    [10, 80],
    [49, 2],
    [50, 100],
    [60, 80],
    [99, 2],
    [100, 100],
  ] as const) {
    const start = machine.clock.nowNs;
    machine.clock.nowNs += ns(ticks);
    assert.equal(latched(machine, 0), count, String(ticks));
    machine.clock.nowNs = start;
  }
});

test('counter 2 as kernels calibrate with it: gate, mode 0, output at port 61h', () => {
  const machine = machineWithPic();
  machine.out(PORT_61, (machine.inp(PORT_61) & ~2) | 1);
  machine.out(CONTROL, 0xb0);
  assert.equal(output(machine), 0);
  machine.out(CHANNEL_2, 0x9c, 0x2e);
  machine.clock.nowNs += ns(11932) - 1n;
  assert.equal(output(machine), 0);
  machine.clock.nowNs += 1n;
  assert.equal(output(machine), 1);
  assert.equal(machine.nextDeadline(), NEVER, 'nobody has to wake for it');
});

test('the gate stops mode 0 and lets it go on', () => {
  const machine = machineWithPic();
  machine.out(PORT_61, 1);
  machine.out(CONTROL, 0xb0);
  machine.out(CHANNEL_2, 0xe8, 0x03);
  machine.clock.nowNs += ns(400);
  machine.out(PORT_61, 0);
  machine.clock.nowNs += ns(5000);
  assert.equal(latched(machine, 2), 600);
  assert.equal(output(machine), 0);
  machine.out(PORT_61, 1);
  machine.clock.nowNs += ns(599) - 2n;
  assert.equal(output(machine), 0);
  machine.clock.nowNs += ns(1) + 2n;
  assert.equal(output(machine), 1);
});

test('a count that comes while the gate is low waits for it', () => {
  const machine = machineWithPic();
  machine.out(CONTROL, 0xb0);
  machine.out(CHANNEL_2, 0x10, 0x00);
  machine.clock.nowNs += ns(100);
  assert.equal(output(machine), 0);
  machine.out(PORT_61, 1);
  machine.clock.nowNs += ns(16);
  assert.equal(output(machine), 1);
});

test('mode 1: the gate’s edge starts the pulse, and starts it again', () => {
  const machine = machineWithPic();
  machine.out(CONTROL, 0xb2);
  machine.out(CHANNEL_2, 0xe8, 0x03);
  assert.equal(output(machine), 1);
  machine.out(PORT_61, 1);
  assert.equal(output(machine), 0);
  machine.clock.nowNs += ns(900);
  machine.out(PORT_61, 0);
  machine.out(PORT_61, 1);
  machine.clock.nowNs += ns(900);
  assert.equal(output(machine), 0);
  machine.out(PORT_61, 0);
  machine.clock.nowNs += ns(50);
  assert.equal(output(machine), 0, 'the gate low does not end it');
  machine.clock.nowNs += ns(51);
  assert.equal(output(machine), 1, 'nor hold it');
});

test('modes 2 and 3: the gate low makes the output high, its edge begins a period', () => {
  const machine = machineWithPic();
  machine.out(PORT_61, 1);
  machine.out(CONTROL, 0xb6);
  machine.out(CHANNEL_2, 0xe8, 0x03);
  machine.clock.nowNs += ns(600);
  assert.equal(output(machine), 0);
  machine.out(PORT_61, 0);
  assert.equal(output(machine), 1);
  machine.out(PORT_61, 1);
  machine.clock.nowNs += ns(499);
  assert.equal(output(machine), 1);
  machine.clock.nowNs += ns(2);
  assert.equal(output(machine), 0);
});

test('port 61h: gate and speaker bits read back, the refresh bit toggles', () => {
  const machine = machineWithPic();
  machine.out(PORT_61, 0xff);
  assert.equal(machine.inp(PORT_61) & 0xcf, 0x03);
  const first = machine.inp(PORT_61) & 0x10;
  machine.clock.nowNs += 15_085n;
  assert.notEqual(machine.inp(PORT_61) & 0x10, first);
});

test('a new deadline rings the doorbell; counter 2 does not', () => {
  const { controllers, ...machine } = machineWithPic();
  const rings = () => Atomics.load(controllers.words, controllers.pitDoorbellIndex);
  const before = rings();
  controllers.writePort(CONTROL, 1, 0xb6);
  controllers.writePort(CHANNEL_2, 1, 1);
  controllers.writePort(CHANNEL_2, 1, 1);
  assert.equal(rings(), before);
  controllers.writePort(CONTROL, 1, 0x34);
  controllers.writePort(CHANNEL_0, 1, 1);
  controllers.writePort(CHANNEL_0, 1, 1);
  assert.equal(rings(), before + 1);
  assert.equal(controllers.pitDeadlineNs, machine.clock.nowNs + ns(0x101));
});

test('the timer interrupts where GSI 0 is routed, as in the MADT’s override', () => {
  const machine = TestMachine.enabled();
  machine.controllers.setGsiRouting([{ kind: 'irqchip', gsi: 0, chip: 'ioapic', pin: 2 }]);
  machine.route(2, 0x99);
  machine.out(CONTROL, 0x34);
  machine.out(CHANNEL_0, 0, 1);
  machine.advance(ns(256 * 3));
  assert.deepEqual(machine.take(), [0x99]);
});

test('state: what was latched, half written or half read goes on; counter 0 begins its period', () => {
  const machine = programmed(0x34, 0x00, 0x10);
  machine.out(PORT_61, 1);
  machine.out(CONTROL, 0xb0);
  machine.out(CHANNEL_2, 0xe8, 0x03);
  machine.clock.nowNs += ns(400);
  machine.out(CONTROL, 0x00);
  const low = machine.inp(CHANNEL_0);
  machine.out(CHANNEL_0 + 1, 0x12);
  const other = machineWithPic();
  other.clock.nowNs = machine.clock.nowNs;
  other.controllers.setState(machine.controllers.getState());
  assert.equal(low | (other.inp(CHANNEL_0) << 8), 4096 - 400);
  assert.equal(latched(other, 2), 600);
  assert.equal(other.nextDeadline(), other.clock.nowNs + ns(4096));
});

test('state: on a host whose clock is younger counts begin anew', () => {
  const machine = machineWithPic();
  machine.clock.nowNs = 10n ** 15n;
  machine.out(PORT_61, 1);
  machine.out(CONTROL, 0xb0);
  machine.out(CHANNEL_2, 0xe8, 0x03);
  machine.clock.nowNs += ns(900);
  const other = machineWithPic();
  other.controllers.setState(machine.controllers.getState());
  assert.equal(latched(other, 2), 1000);
  other.clock.nowNs += ns(400);
  assert.equal(latched(other, 2), 600);
});

test('state: a timer that was never programmed, as KVM has it, stays silent', () => {
  const machine = machineWithPic();
  const [channel] = machine.controllers.getState().pit.channels;
  assert.equal(channel.mode, 0xff);
  assert.equal(channel.count, 0x10000);
  assert.equal(channel.gate, 1);
  machine.controllers.setState(machine.controllers.getState());
  assert.equal(machine.nextDeadline(), NEVER);
});

test('any writes at all, and any time between them: reads are bytes, deadlines lie ahead', () => {
  const step = fc.record({
    port: fc.constantFrom(0x40, 0x41, 0x42, 0x43, 0x61),
    value: fc.integer({ min: 0, max: 255 }),
    pause: fc.bigInt({ min: 0n, max: 10n ** 8n }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const machine = machineWithPic();
      for (const { port, value, pause } of steps) {
        machine.out(port, value);
        machine.clock.nowNs += pause;
        machine.expire();
        assert.ok(machine.nextDeadline() > machine.clock.nowNs);
        for (const read of [0x40, 0x41, 0x42, 0x61]) {
          const byte = machine.inp(read);
          assert.ok(Number.isInteger(byte) && byte >= 0 && byte <= 255);
        }
      }
    }),
    { seed: 20260405, numRuns: 200 },
  );
});
