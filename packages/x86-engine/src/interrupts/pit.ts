/**
 * The 8254 of a PC: counter 0 interrupts, counter 2 is the speaker's, with its gate and output at port 61h (Intel 8254
 * data sheet; Intel I/O Controller Hub 9 data sheet §13.7.1 "NMI_SC—NMI Status and Control Register").
 *
 * All methods need the lock, save where they say otherwise.
 */
import type { PitState } from '@vireo/hypervisor';
import type { InterruptClock } from './clock.ts';
import { type ControllerMemory, HEADER, NEVER } from './controller-memory.ts';
import { PitChannel } from './pit-channel.ts';

export const PIT_PORTS = { channel0: 0x40, control: 0x43, systemControl: 0x61 } as const;

const READ_BACK = 3;
const READ_BACK_NO_COUNT = 1 << 5;
const READ_BACK_NO_STATUS = 1 << 4;

/** Port 61h. */
const GATE_2 = 1 << 0;
const SPEAKER_DATA = 1 << 1;
const REFRESH_TOGGLE = 1 << 4;
const OUTPUT_2 = 1 << 5;
/** DRAM refresh requests, as counter 1 made them on a PC/AT. */
const REFRESH_PERIOD_NS = 15_085n;

type Channels = readonly [PitChannel, PitChannel, PitChannel];

export class Pit {
  readonly #memory: ControllerMemory;
  readonly #clock: InterruptClock;
  readonly #channels: Channels;
  readonly #pulse: () => void;

  /** `pulse` is called at each rising edge of counter 0's output. */
  constructor(memory: ControllerMemory, clock: InterruptClock, pulse: () => void) {
    this.#memory = memory;
    this.#clock = clock;
    this.#pulse = pulse;
    this.#channels = [
      new PitChannel(memory, 0, 1),
      new PitChannel(memory, 1, 1),
      new PitChannel(memory, 2, 0),
    ];
  }

  reset(): void {
    for (const channel of this.#channels) channel.reset();
    this.#memory.words[HEADER.speakerData] = 0;
    this.#setDeadline(NEVER);
  }

  /** When `expire` has an edge to deliver. Needs no lock. */
  get deadlineNs(): bigint {
    return this.#memory.readWide(HEADER.pitDeadline);
  }

  /** Edges that nobody delivered in time are one. */
  expire(nowNs: bigint): void {
    if (this.deadlineNs > nowNs) return;
    this.#setDeadline(this.#channels[0].nextEdge(nowNs));
    this.#pulse();
  }

  /** @returns undefined for a port that is not the timer's */
  read(port: number): number | undefined {
    const now = this.#clock.now();
    if (port === PIT_PORTS.systemControl) return this.#readSystemControl(now);
    if (port === PIT_PORTS.control) return 0xff; // write-only
    return this.#channels[port - PIT_PORTS.channel0]?.read(now);
  }

  /** @returns whether the port is the timer's */
  write(port: number, value: number): boolean {
    const now = this.#clock.now();
    this.expire(now);
    if (port === PIT_PORTS.systemControl) {
      this.#memory.words[HEADER.speakerData] = value & SPEAKER_DATA;
      this.#channels[2].setGate((value & GATE_2) !== 0, now);
    } else if (port === PIT_PORTS.control) {
      this.#control(value, now);
    } else {
      const channel = this.#channels[port - PIT_PORTS.channel0];
      if (!channel) return false;
      channel.write(value, now);
      if (channel === this.#channels[0]) this.#setDeadline(channel.nextEdge(now));
    }
    return true;
  }

  getState(): PitState {
    const now = this.#clock.now();
    const [a, b, c] = this.#channels;
    return { channels: [a.getState(now), b.getState(now), c.getState(now)] };
  }

  /** Counter 0 begins its period anew: whether an interrupt is still to come of it cannot be told. */
  setState(state: PitState): void {
    const now = this.#clock.now();
    for (const [i, channel] of this.#channels.entries()) channel.setState(state.channels[i]!, now, i === 0);
    this.#setDeadline(this.#channels[0].nextEdge(now));
  }

  /** Data sheet, "Control Word Format", "Counter Latch Command", "Read-Back Command". */
  #control(value: number, now: bigint): void {
    const select = value >> 6;
    const access = (value >> 4) & 3;
    if (select === READ_BACK) {
      this.#readBack(value, now);
    } else if (access === 0) {
      this.#channels[select]!.latchCount(now);
    } else {
      this.#channels[select]!.program(access, (value >> 1) & 7, (value & 1) !== 0);
      if (select === 0) this.#setDeadline(NEVER);
    }
  }

  #readBack(value: number, now: bigint): void {
    for (const [i, channel] of this.#channels.entries()) {
      if ((value & (2 << i)) === 0) continue;
      if ((value & READ_BACK_NO_COUNT) === 0) channel.latchCount(now);
      if ((value & READ_BACK_NO_STATUS) === 0) channel.latchStatus(now);
    }
  }

  #readSystemControl(now: bigint): number {
    const channel = this.#channels[2];
    return (
      (channel.gate ? GATE_2 : 0) |
      this.#memory.words[HEADER.speakerData]! |
      ((now / REFRESH_PERIOD_NS) % 2n === 0n ? 0 : REFRESH_TOGGLE) |
      (channel.output(now) ? OUTPUT_2 : 0)
    );
  }

  /** Who waits for the deadline is told that it moved. */
  #setDeadline(nanoseconds: bigint): void {
    const { words } = this.#memory;
    const moved = nanoseconds !== this.deadlineNs;
    this.#memory.writeWide(HEADER.pitDeadline, nanoseconds);
    if (!moved) return;
    Atomics.add(words, HEADER.pitDoorbell, 1);
    Atomics.notify(words, HEADER.pitDoorbell);
  }
}
