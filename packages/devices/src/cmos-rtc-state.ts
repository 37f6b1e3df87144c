/** The saved state of the real-time clock. It keeps the guest's distance from the host's clock, not the time. */
import { CMOS_LENGTH_BYTES } from '@vireo/spec/rtc';
import { SavedStateReader } from './saved-state.ts';

export interface CmosRtcState {
  version: 1;
  index: number;
  /** All registers and the RAM, as they are while the clock stands. */
  registers: number[];
  /** Guest's time minus host's. */
  offsetMs: number;
  /** Register C's flags. */
  flags: number;
}

/** Farther than a guest can set the clock with two digits of century. */
const MAX_OFFSET_MS = 1e15;

/** @throws SavedStateError */
export function readCmosRtcState(state: unknown): CmosRtcState {
  const reader = new SavedStateReader('CMOS RTC', state, 1);
  const offsetMs = reader.int('offsetMs');
  if (Math.abs(offsetMs) > MAX_OFFSET_MS) throw reader.error('offsetMs is out of range');
  return {
    version: 1,
    index: reader.uint('index', CMOS_LENGTH_BYTES - 1),
    registers: reader.uints('registers', 0xff, { length: CMOS_LENGTH_BYTES }),
    offsetMs,
    flags: reader.uint('flags', 0x7f) & 0x70,
  };
}
