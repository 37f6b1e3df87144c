import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as rtc from '@vireo/spec/rtc';
import fc from 'fast-check';
import { CmosRtc } from './cmos-rtc.ts';
import type { CmosRtcState } from './cmos-rtc-state.ts';
import { SavedStateError } from './saved-state.ts';
import { fuzzDevice } from './testing/fuzz-device.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { RecordingLine } from './testing/recording-line.ts';

const START_MS = Date.UTC(2024, 1, 29, 23, 59, 58); // a Thursday, of a leap year

function makeRtc(startMs = START_MS) {
  const clock = new ManualClock(startMs);
  const line = new RecordingLine();
  const device = new CmosRtc({ clock: clock.now, timers: clock, line });
  return {
    device,
    clock,
    line,
    get: (register: number) => {
      device.write(0, 1, register);
      return device.read(1, 1);
    },
    set: (register: number, value: number) => {
      device.write(0, 1, register);
      device.write(1, 1, value);
    },
  };
}

const TIME = [
  rtc.RTC_CENTURY,
  rtc.RTC_YEAR,
  rtc.RTC_MONTH,
  rtc.RTC_DAY_OF_MONTH,
  rtc.RTC_DAY_OF_WEEK,
  rtc.RTC_HOURS,
  rtc.RTC_MINUTES,
  rtc.RTC_SECONDS,
];

test('tells the time in BCD and 24 hours at first, as firmware leaves it', () => {
  const { get, clock } = makeRtc();
  assert.deepEqual(TIME.map(get), [0x20, 0x24, 0x02, 0x29, 5, 0x23, 0x59, 0x58]);
  clock.advance(2000);
  assert.deepEqual(TIME.map(get), [0x20, 0x24, 0x03, 0x01, 6, 0x00, 0x00, 0x00]);
});

test('tells the time in binary and in 12 hours', () => {
  const { get, set } = makeRtc();
  set(rtc.RTC_REG_B, rtc.REG_B_DM);
  assert.deepEqual(TIME.map(get), [20, 24, 2, 29, 5, 11 | rtc.HOURS_PM, 59, 58]);
  set(rtc.RTC_REG_B, 0);
  assert.equal(get(rtc.RTC_HOURS), 0x11 | rtc.HOURS_PM);
  const hours = [0, 1, 11, 12, 13].map((hour) => {
    const other = makeRtc(Date.UTC(2024, 0, 1, hour));
    other.set(rtc.RTC_REG_B, 0);
    return other.get(rtc.RTC_HOURS);
  });
  assert.deepEqual(hours, [0x12, 0x01, 0x11, 0x12 | rtc.HOURS_PM, 0x01 | rtc.HOURS_PM]);
});

test('the guest sets the clock under SET, and it goes on from there', () => {
  const { get, set, clock } = makeRtc();
  set(rtc.RTC_REG_B, rtc.REG_B_SET | rtc.REG_B_24H);
  clock.advance(5000);
  assert.equal(get(rtc.RTC_SECONDS), 0x58, 'it stands');
  for (const [i, value] of [0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59].entries()) set(TIME[i]!, value);
  set(rtc.RTC_REG_B, rtc.REG_B_24H);
  clock.advance(999);
  assert.deepEqual(TIME.map(get), [0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59]);
  clock.advance(1);
  assert.deepEqual(TIME.map(get), [0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00]);
});

test('"Divider Control": the first update comes half a second after the divider is released', () => {
  const { get, set, clock } = makeRtc();
  set(rtc.RTC_REG_A, 0x76);
  clock.advance(10_000);
  set(rtc.RTC_SECONDS, 0x10);
  set(rtc.RTC_REG_A, 0x26);
  clock.advance(499);
  assert.equal(get(rtc.RTC_SECONDS), 0x10);
  clock.advance(1);
  assert.equal(get(rtc.RTC_SECONDS), 0x11);
});

test('a field written while the clock runs moves only that field', () => {
  const { get, set, clock } = makeRtc();
  clock.advance(600);
  set(rtc.RTC_HOURS, 0x07);
  assert.deepEqual([rtc.RTC_HOURS, rtc.RTC_MINUTES, rtc.RTC_SECONDS].map(get), [0x07, 0x59, 0x58]);
  clock.advance(400);
  assert.equal(get(rtc.RTC_SECONDS), 0x59);
});

test('UIP warns of an update 244 µs ahead', () => {
  const { get, clock } = makeRtc();
  clock.nowMs = START_MS + 999.7;
  assert.equal(get(rtc.RTC_REG_A) & rtc.REG_A_UIP, 0);
  clock.nowMs = START_MS + 999.8;
  assert.equal(get(rtc.RTC_REG_A) & rtc.REG_A_UIP, rtc.REG_A_UIP);
  clock.nowMs = START_MS + 1000;
  assert.equal(get(rtc.RTC_REG_A) & rtc.REG_A_UIP, 0);
});

test('the update interrupt comes every second once register C is read', () => {
  const { get, set, clock, line } = makeRtc(Date.UTC(2024, 0, 1, 12)); // not at midnight, where the alarm is set
  set(rtc.RTC_REG_B, rtc.REG_B_UIE | rtc.REG_B_24H);
  clock.advance(999);
  assert.equal(line.level, false);
  clock.advance(3001);
  assert.equal(line.edges, 1, 'held until register C is read');
  assert.equal(get(rtc.RTC_REG_C) & ~rtc.REG_C_PF, rtc.REG_C_IRQF | rtc.REG_C_UF);
  assert.equal(line.level, false);
  assert.equal(get(rtc.RTC_REG_C), 0);
  clock.advance(1000);
  assert.equal(line.level, true);
});

test('the periodic interrupt has the chosen rate', () => {
  for (const [rate, hz] of [
    [6, 1024],
    [10, 64],
    [15, 2],
    [1, 256],
    [2, 128],
  ] as const) {
    const { get, set, clock, line } = makeRtc();
    set(rtc.RTC_REG_A, rtc.REG_A_DIVIDER_32768_HZ | rate);
    set(rtc.RTC_REG_B, rtc.REG_B_PIE | rtc.REG_B_24H);
    let interrupts = 0;
    for (let ms = 0; ms < 1000; ms += 0.25) {
      clock.advance(0.25);
      if (!line.level) continue;
      assert.ok(get(rtc.RTC_REG_C) & rtc.REG_C_PF);
      interrupts++;
    }
    // Timers have a resolution of 1 ms.
    assert.ok(Math.abs(interrupts - Math.min(hz, 1000)) <= hz / 2, `${interrupts} of ${hz}`);
    if (hz <= 256) assert.equal(interrupts, hz);
  }
});

test('the alarm rings at its time, and "don\'t care" matches any', () => {
  const { get, set, clock, line } = makeRtc();
  set(rtc.RTC_HOURS_ALARM, 0xff);
  set(rtc.RTC_MINUTES_ALARM, 0x01);
  set(rtc.RTC_SECONDS_ALARM, 0x30);
  set(rtc.RTC_REG_B, rtc.REG_B_AIE | rtc.REG_B_24H);
  clock.advance(2000 + 89_999);
  assert.equal(line.level, false);
  clock.advance(1);
  assert.equal(line.level, true);
  assert.ok(get(rtc.RTC_REG_C) & rtc.REG_C_AF);
  clock.advance(3_599_999);
  assert.equal(line.level, false);
  clock.advance(1);
  assert.equal(line.level, true);
});

test('property: the alarm rings exactly where the registers match', () => {
  const part = (max: number) => fc.oneof(fc.constant(0xff), fc.nat(max));
  fc.assert(
    fc.property(fc.nat(86_399), part(23), part(59), part(59), (start, hour, minute, second) => {
      const { set, clock, line } = makeRtc(Date.UTC(2031, 5, 7) + start * 1000);
      set(rtc.RTC_REG_B, rtc.REG_B_DM | rtc.REG_B_24H);
      set(rtc.RTC_HOURS_ALARM, hour);
      set(rtc.RTC_MINUTES_ALARM, minute);
      set(rtc.RTC_SECONDS_ALARM, second);
      set(rtc.RTC_REG_B, rtc.REG_B_DM | rtc.REG_B_24H | rtc.REG_B_AIE);
      let expected = start + 1;
      const fits = (value: number, alarm: number) => alarm === 0xff || alarm === value;
      const rings = (at: number) =>
        fits(Math.floor(at / 3600) % 24, hour) &&
        fits(Math.floor(at / 60) % 60, minute) &&
        fits(at % 60, second);
      while (!rings(expected)) expected++;
      clock.advance((expected - start) * 1000 - 1);
      assert.equal(line.level, false);
      clock.advance(1);
      assert.equal(line.level, true);
    }),
    { numRuns: 60 },
  );
});

test('no timer runs while no interrupt is enabled', () => {
  const { get, set, clock, device } = makeRtc();
  for (let register = 0; register < 128; register++) get(register);
  assert.equal(clock.pendingTimers, 0);
  set(rtc.RTC_REG_B, rtc.REG_B_UIE);
  assert.equal(clock.pendingTimers, 1);
  device.reset();
  assert.equal(clock.pendingTimers, 0);
});

test('registers C and D are read-only, RAM is RAM, bit 7 of the index is ignored', () => {
  const { get, set, device } = makeRtc();
  set(rtc.RTC_REG_D, 0);
  set(rtc.RTC_REG_C, 0xff);
  assert.deepEqual([get(rtc.RTC_REG_D), get(rtc.RTC_REG_C)], [rtc.REG_D_VRT, 0]);
  set(0x80 | 0x40, 0x99);
  assert.equal(get(0x40), 0x99);
  device.write(0, 2, 0x1240); // index and data in one access
  assert.equal(device.read(0, 2), 0x12ff);
});

test('a saved clock resumes: the time goes on, interrupts are due', () => {
  const { device, set, clock } = makeRtc();
  set(rtc.RTC_YEAR, 0x44);
  set(0x50, 0x77);
  set(rtc.RTC_REG_B, rtc.REG_B_UIE | rtc.REG_B_24H);
  const state: CmosRtcState = JSON.parse(JSON.stringify(device.save()));
  const restored = makeRtc(clock.nowMs + 60_000);
  restored.device.restore(state);
  assert.equal(restored.get(rtc.RTC_YEAR), 0x44);
  assert.equal(restored.get(rtc.RTC_SECONDS), 0x58);
  assert.equal(restored.get(0x50), 0x77);
  restored.clock.advance(1000);
  assert.equal(restored.line.level, true);
});

test('a hostile state is refused', () => {
  const { device } = makeRtc();
  const hostile = [
    { version: 3 },
    { index: 128 },
    { registers: [1, 2] },
    { registers: new Array(128).fill(-1) },
    { offsetMs: Number.NaN },
    { offsetMs: 8e15 },
    { flags: 'x' },
  ];
  for (const change of hostile) {
    const state = { ...device.save(), ...change } as unknown as CmosRtcState;
    assert.throws(() => device.restore(state), SavedStateError);
  }
});

test('fuzz: no access throws or answers more than its size, however the time moves', () => {
  fuzzDevice({
    lengthBytes: 2,
    make: () => {
      const { device, clock } = makeRtc();
      return {
        device,
        host: (event) => {
          if (event % 4 === 0) device.restore(JSON.parse(JSON.stringify(device.save())));
          else if (event % 4 === 1)
            clock.nowMs -= event % 5000; // the host's clock is set back
          else clock.advance(event % 3000);
        },
      };
    },
    runs: 300,
  });
});
