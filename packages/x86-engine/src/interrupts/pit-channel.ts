/**
 * One counter of the 8254: modes, counting, latches (Intel 8254 data sheet, "Programming the 8254", "Mode Definitions").
 *
 * Nothing counts: the host time at which the count was loaded says where the count is. While GATE stops the counter,
 * `countLoadTime` is how long it had run, negated.
 *
 * All methods need the lock.
 */
import type { PitChannelState } from '@vireo/hypervisor';
import { type ControllerMemory, NEVER, PIT_CHANNEL } from './controller-memory.ts';

/** 14.31818 MHz over 12. */
export const PIT_HZ = 1_193_182n;
const NANOSECONDS = 1_000_000_000n;

/** Values of `rwMode`, and where reading, writing and the latch are within it; 0 is "not latched". */
const RW_LOW = 1;
const RW_HIGH = 2;
const RW_BOTH = 3;
/** The low byte of two has gone. */
const RW_BOTH_HIGH = 4;

const MODE_TERMINAL_COUNT = 0;
const MODE_ONE_SHOT = 1;
const MODE_RATE = 2;
const MODE_SQUARE = 3;
const MODE_SOFTWARE_STROBE = 4;
const MODE_HARDWARE_STROBE = 5;
/** Not programmed since power-up. */
const MODE_NONE = 0xff;

const STATUS_NULL_COUNT = 1 << 6;

const MAX_BINARY = 0x10000;
const MAX_BCD = 10000;

type Field = Exclude<keyof typeof PIT_CHANNEL, 'words' | 'countLoadTime'>;

export class PitChannel {
  readonly #memory: ControllerMemory;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;
  readonly #wiredGate: number;

  /** `wiredGate`: the level of GATE at power-up. */
  constructor(memory: ControllerMemory, index: number, wiredGate: 0 | 1) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#at = memory.pitAt + index * PIT_CHANNEL.words;
    this.#wiredGate = wiredGate;
  }

  reset(): void {
    this.#words.fill(0, this.#at, this.#at + PIT_CHANNEL.words);
    this.#set('gate', this.#wiredGate);
    this.#set('mode', MODE_NONE);
    this.#set('count', MAX_BINARY);
  }

  /** A control word for this counter (data sheet, "Control Word Format"); `access` is not 0. It counts when a count comes. */
  program(access: number, mode: number, bcd: boolean): void {
    this.#set('rwMode', access);
    this.#set('readState', access);
    this.#set('writeState', access);
    this.#set('mode', mode > MODE_HARDWARE_STROBE ? mode - 4 : mode);
    this.#set('bcd', bcd ? 1 : 0);
    this.#set('countLatched', 0);
    this.#set('statusLatched', 0);
    this.#set('armed', 0);
  }

  /** Data sheet, "Counter Latch Command": kept until it is read. */
  latchCount(now: bigint): void {
    if (this.#get('countLatched') !== 0) return;
    this.#set('latchedCount', this.#readable(now));
    this.#set('countLatched', this.#get('rwMode'));
  }

  /** Data sheet, "Read-Back Command". */
  latchStatus(now: bigint): void {
    if (this.#get('statusLatched') !== 0) return;
    const nullCount = this.#get('armed') === 0 ? STATUS_NULL_COUNT : 0;
    const settings = (this.#get('rwMode') << 4) | ((this.#get('mode') & 7) << 1) | this.#get('bcd');
    this.#set('status', (this.output(now) ? 0x80 : 0) | nullCount | settings);
    this.#set('statusLatched', 1);
  }

  read(now: bigint): number {
    if (this.#get('statusLatched') !== 0) {
      this.#set('statusLatched', 0);
      return this.#get('status');
    }
    const latched = this.#get('countLatched');
    if (latched !== 0) {
      this.#set('countLatched', latched === RW_BOTH ? RW_HIGH : 0);
      return byteOf(this.#get('latchedCount'), latched);
    }
    const state = this.#get('readState');
    this.#set('readState', toggled(state));
    return byteOf(this.#readable(now), state);
  }

  write(value: number, now: bigint): void {
    const state = this.#get('writeState');
    this.#set('writeState', toggled(state));
    switch (state) {
      case RW_LOW:
        this.#load(value, now);
        break;
      case RW_HIGH:
        this.#load(value << 8, now);
        break;
      case RW_BOTH:
        this.#set('writeLatch', value);
        // "Writing the first byte disables counting" (data sheet, "Mode 0").
        if (this.#get('mode') === MODE_TERMINAL_COUNT) this.#set('armed', 0);
        return;
      case RW_BOTH_HIGH:
        this.#load(this.#get('writeLatch') | (value << 8), now);
        break;
      default: // never programmed
    }
  }

  get gate(): boolean {
    return this.#get('gate') !== 0;
  }

  /** Data sheet, "Gate Pin Operations Summary". */
  setGate(level: boolean, now: bigint): void {
    if (level === this.gate) return;
    const elapsed = this.#elapsedNs(now);
    this.#set('gate', level ? 1 : 0);
    if (!level) {
      if (!this.#triggered) this.#loadTime = -elapsed;
      return;
    }
    const resumes = this.#get('mode') === MODE_TERMINAL_COUNT || this.#get('mode') === MODE_SOFTWARE_STROBE;
    this.#loadTime = resumes ? now - elapsed : now;
    if (this.#triggered) this.#set('armed', 1);
  }

  /** The OUT pin. */
  output(now: bigint): boolean {
    const mode = this.#get('mode');
    if (this.#get('armed') === 0) return mode !== MODE_TERMINAL_COUNT;
    const count = this.#get('count');
    const ticks = this.#elapsedTicks(now);
    const within = Number(ticks % BigInt(count));
    switch (mode) {
      case MODE_RATE:
        return !this.gate || within !== count - 1;
      case MODE_SQUARE:
        return !this.gate || within < (count + 1) >> 1;
      case MODE_SOFTWARE_STROBE:
      case MODE_HARDWARE_STROBE:
        return ticks !== BigInt(count);
      default:
        return ticks >= BigInt(count);
    }
  }

  /** When OUT rises next after `since`, the time of the last edge or of the load; NEVER if it does not. */
  nextEdge(since: bigint): bigint {
    if (this.#get('armed') === 0 || !this.gate) return NEVER;
    const count = BigInt(this.#get('count'));
    const periods = this.#periodic ? this.#elapsedTicks(since) / count : 0n;
    const at = this.#loadTime + nanosecondsFor((periods + 1n) * count);
    return at > since ? at : NEVER;
  }

  getState(now: bigint): PitChannelState {
    return {
      count: this.#get('count'),
      latchedCount: this.#get('latchedCount'),
      countLatched: this.#get('countLatched'),
      statusLatched: this.#get('statusLatched'),
      status: this.#get('status'),
      readState: this.#get('readState'),
      writeState: this.#get('writeState'),
      writeLatch: this.#get('writeLatch'),
      rwMode: this.#get('rwMode'),
      mode: this.#get('mode'),
      bcd: this.#get('bcd'),
      gate: this.#get('gate'),
      countLoadTime: BigInt.asUintN(64, now - this.#elapsedNs(now)),
    };
  }

  /** `restart`: the count begins anew, since no more is known of it; else it goes on if its load time can be this host's. */
  setState(state: PitChannelState, now: bigint, restart: boolean): void {
    const { countLoadTime, ...fields } = state;
    for (const field of Object.keys(fields) as (keyof typeof fields)[])
      this.#set(field, fields[field] & 0xffff);
    this.#set('gate', state.gate === 0 ? 0 : 1);
    this.#set('count', Math.min(Math.max(state.count, 1), MAX_BINARY));
    const elapsed = restart || countLoadTime > now ? 0n : now - countLoadTime;
    this.#loadTime = this.#stopped ? -elapsed : now - elapsed;
    this.#set('armed', state.mode > MODE_HARDWARE_STROBE || (restart && this.#triggered) ? 0 : 1);
  }

  #load(value: number, now: bigint): void {
    const bcd = this.#get('bcd') !== 0;
    const count = bcd ? fromBcd(value) : value;
    this.#set('count', count === 0 ? (bcd ? MAX_BCD : MAX_BINARY) : count);
    // Modes 1 and 5 start when GATE rises. Modes 2 and 3 take a new count at once, not when their period ends.
    if (this.#triggered) return;
    this.#loadTime = this.#stopped ? 0n : now;
    this.#set('armed', 1);
  }

  /** By GATE, which only starts modes 1 and 5. */
  get #stopped(): boolean {
    return !this.gate && !this.#triggered;
  }

  get #triggered(): boolean {
    return this.#get('mode') === MODE_ONE_SHOT || this.#get('mode') === MODE_HARDWARE_STROBE;
  }

  get #periodic(): boolean {
    return this.#get('mode') === MODE_RATE || this.#get('mode') === MODE_SQUARE;
  }

  /** What software reads: the counting element, which goes on below 0 in modes without a period. */
  #readable(now: bigint): number {
    const count = this.#get('count');
    const ticks = this.#get('armed') === 0 ? 0n : this.#elapsedTicks(now);
    const bcd = this.#get('bcd') !== 0;
    let value: number;
    if (this.#get('mode') === MODE_SQUARE) value = squareCount(count, Number(ticks % BigInt(count)));
    else if (this.#periodic) value = count - Number(ticks % BigInt(count));
    else {
      const modulus = bcd ? MAX_BCD : MAX_BINARY;
      value = (count - Number(ticks % BigInt(modulus)) + modulus) % modulus;
    }
    return bcd ? toBcd(value % MAX_BCD) : value & 0xffff;
  }

  #elapsedNs(now: bigint): bigint {
    const start = this.#loadTime;
    if (this.#stopped) return -start;
    return now > start ? now - start : 0n;
  }

  #elapsedTicks(now: bigint): bigint {
    return (this.#elapsedNs(now) * PIT_HZ) / NANOSECONDS;
  }

  get #loadTime(): bigint {
    return this.#memory.readWide(this.#at + PIT_CHANNEL.countLoadTime);
  }

  set #loadTime(value: bigint) {
    this.#memory.writeWide(this.#at + PIT_CHANNEL.countLoadTime, value);
  }

  #get(field: Field): number {
    return this.#words[this.#at + PIT_CHANNEL[field]]!;
  }

  #set(field: Field, value: number): void {
    this.#words[this.#at + PIT_CHANNEL[field]] = value;
  }
}

/** Rounded up: by then as many ticks have passed. */
function nanosecondsFor(ticks: bigint): bigint {
  return (ticks * NANOSECONDS + PIT_HZ - 1n) / PIT_HZ;
}

function toggled(state: number): number {
  if (state === RW_BOTH) return RW_BOTH_HIGH;
  return state === RW_BOTH_HIGH ? RW_BOTH : state;
}

function byteOf(count: number, state: number): number {
  return state === RW_HIGH || state === RW_BOTH_HIGH ? count >> 8 : count & 0xff;
}

/** Data sheet, "Mode 3": counts down by two, twice a period; an odd count is loaded less one. */
function squareCount(count: number, ticks: number): number {
  const high = (count + 1) >> 1;
  const even = count & ~1;
  const left = even - 2 * (ticks < high ? ticks : ticks - high);
  return left > 0 ? left : even;
}

function fromBcd(value: number): number {
  return (value >> 12) * 1000 + ((value >> 8) & 0xf) * 100 + ((value >> 4) & 0xf) * 10 + (value & 0xf);
}

function toBcd(value: number): number {
  let digits = 0;
  for (let shift = 0, rest = value; shift < 16; shift += 4, rest = Math.floor(rest / 10))
    digits |= (rest % 10) << shift;
  return digits;
}
