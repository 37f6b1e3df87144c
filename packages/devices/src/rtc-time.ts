/**
 * The time of day as the MC146818's registers hold it: BCD or binary, 12 or 24 hours, and alarms with "don't care"
 * codes (MC146818A data sheet, "Time, Calendar, and Alarm Locations"). Pure functions of the registers.
 */
import * as rtc from '@vireo/spec/rtc';

const SECOND_MS = 1000;
const DAY_SECONDS = 86_400;

/** The registers that time moves. */
export const TIME_REGISTERS: ReadonlySet<number> = new Set([
  rtc.RTC_SECONDS,
  rtc.RTC_MINUTES,
  rtc.RTC_HOURS,
  rtc.RTC_DAY_OF_WEEK,
  rtc.RTC_DAY_OF_MONTH,
  rtc.RTC_MONTH,
  rtc.RTC_YEAR,
  rtc.RTC_CENTURY,
]);

function encode(value: number, registerB: number): number {
  return registerB & rtc.REG_B_DM ? value : (Math.floor(value / 10) << 4) | (value % 10);
}

function decode(byte: number, registerB: number): number {
  return registerB & rtc.REG_B_DM ? byte : (byte >> 4) * 10 + (byte & 0x0f);
}

function encodeHour(hour: number, registerB: number): number {
  if (registerB & rtc.REG_B_24H) return encode(hour, registerB);
  return encode(((hour + 11) % 12) + 1, registerB) | (hour >= 12 ? rtc.HOURS_PM : 0);
}

function decodeHour(byte: number, registerB: number): number {
  if (registerB & rtc.REG_B_24H) return decode(byte, registerB);
  return (decode(byte & ~rtc.HOURS_PM, registerB) % 12) + (byte & rtc.HOURS_PM ? 12 : 0);
}

/** Writes the time, milliseconds since the epoch, into the registers. */
export function storeTime(registers: Uint8Array, timeMs: number): void {
  const b = registers[rtc.RTC_REG_B]!;
  const date = new Date(timeMs);
  const year = date.getUTCFullYear();
  registers[rtc.RTC_SECONDS] = encode(date.getUTCSeconds(), b);
  registers[rtc.RTC_MINUTES] = encode(date.getUTCMinutes(), b);
  registers[rtc.RTC_HOURS] = encodeHour(date.getUTCHours(), b);
  registers[rtc.RTC_DAY_OF_WEEK] = encode(date.getUTCDay() + 1, b);
  registers[rtc.RTC_DAY_OF_MONTH] = encode(date.getUTCDate(), b);
  registers[rtc.RTC_MONTH] = encode(date.getUTCMonth() + 1, b);
  registers[rtc.RTC_YEAR] = encode(year % 100, b);
  registers[rtc.RTC_CENTURY] = encode(Math.floor(year / 100), b);
}

/** The time in the registers, milliseconds since the epoch; what is out of range counts on into the next field. */
export function loadTime(registers: Uint8Array): number {
  const b = registers[rtc.RTC_REG_B]!;
  const field = (register: number) => decode(registers[register]!, b);
  return Date.UTC(
    field(rtc.RTC_CENTURY) * 100 + field(rtc.RTC_YEAR),
    field(rtc.RTC_MONTH) - 1,
    field(rtc.RTC_DAY_OF_MONTH),
    decodeHour(registers[rtc.RTC_HOURS]!, b),
    field(rtc.RTC_MINUTES),
    field(rtc.RTC_SECONDS),
  );
}

/** The first second after `afterMs` at which the alarm registers match; undefined when none ever does. */
export function nextAlarm(registers: Uint8Array, afterMs: number): number | undefined {
  const b = registers[rtc.RTC_REG_B]!;
  const seconds = matches(registers[rtc.RTC_SECONDS_ALARM]!, 60, (byte) => decode(byte, b));
  const minutes = matches(registers[rtc.RTC_MINUTES_ALARM]!, 60, (byte) => decode(byte, b));
  const hours = matches(registers[rtc.RTC_HOURS_ALARM]!, 24, (byte) => decodeHour(byte, b));
  const from = Math.floor(afterMs / SECOND_MS) + 1;
  const midnight = Math.floor(from / DAY_SECONDS) * DAY_SECONDS;
  for (const day of [midnight, midnight + DAY_SECONDS]) {
    for (const hour of hours) {
      for (const minute of minutes) {
        const start = day + hour * 3600 + minute * 60;
        const second = seconds.find((candidate) => start + candidate >= from);
        if (second !== undefined) return (start + second) * SECOND_MS;
      }
    }
  }
  return undefined;
}

/** The values, in order, that an alarm register stands for. */
function matches(byte: number, count: number, decodeByte: (byte: number) => number): number[] {
  if ((byte & rtc.ALARM_DONT_CARE) === rtc.ALARM_DONT_CARE) return Array.from({ length: count }, (_, i) => i);
  const value = decodeByte(byte);
  return value < count ? [value] : [];
}

/** Frequency of the periodic interrupt, 0 for none (data sheet, Table 3 "Periodic Interrupt Rate", 32.768 kHz time base). */
export function periodicHz(registerA: number): number {
  const rate = registerA & rtc.REG_A_RATE_MASK;
  if (rate === 0) return 0;
  return rate <= 2 ? 512 >> rate : 32_768 >> (rate - 1);
}
