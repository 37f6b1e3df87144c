/** A vCPU's time: its time-stamp counter, and what kvmclock tells the guest of the VM's clock. */

import {
  SYSTEM_TIME_BYTES,
  WALL_CLOCK_BYTES,
  writeSystemTime,
  writeWallClock,
} from '../cpu-model/kvmclock.ts';
import { TSC_LAYOUT, Tsc } from '../cpu-model/tsc.ts';
import type { MemoryUnit } from '../memory/memory-unit.ts';
import { NO_MEMORY } from '../memory/physical-memory.ts';
import { TIME_STAMP_COUNTERS } from '../memory-map.ts';
import { VmClock } from '../vm-clock.ts';
import type { EngineThread } from './vcpu-host.ts';

const PAGE_BYTES = 4096;

export function tscOf(buffer: SharedArrayBuffer, id: number, clock: Pick<EngineThread, 'now'>): Tsc {
  return new Tsc(clock, new BigInt64Array(buffer, TIME_STAMP_COUNTERS), id * TSC_LAYOUT.words);
}

export class ClockMsrs {
  readonly tsc: Tsc;
  readonly #vm: VmClock;
  readonly #thread: EngineThread;
  readonly #buffer: SharedArrayBuffer;
  readonly #unit: MemoryUnit;
  #gpa: number | undefined;
  #version = -1;

  constructor(
    buffer: SharedArrayBuffer,
    { id, thread, unit }: { id: number; thread: EngineThread; unit: MemoryUnit },
  ) {
    this.#thread = thread;
    this.#buffer = buffer;
    this.#unit = unit;
    this.#vm = new VmClock(buffer);
    this.tsc = tscOf(buffer, id, thread);
  }

  /** kvmclock's structure is there from now on, or nowhere. */
  move(gpa: bigint | undefined): void {
    this.#gpa = gpa === undefined ? undefined : Number(gpa);
    this.update();
  }

  /** Writes it again when the VM's clock was set. */
  follow(): void {
    if (this.#vm.version !== this.#version) this.update();
  }

  update(): void {
    this.#version = this.#vm.version;
    if (this.#gpa === undefined) return;
    const view = this.#structure(this.#gpa, SYSTEM_TIME_BYTES);
    if (view === undefined) return;
    // One moment for all vCPUs, so that all tell the same time.
    const moment = this.#vm.referenceNs;
    const nanoseconds = this.#vm.at(moment);
    writeSystemTime(view, { nanoseconds, tsc: this.tsc.at(moment), tscKhz: this.tsc.khz });
  }

  writeWallClock(gpa: bigint): void {
    const view = this.#structure(Number(gpa), WALL_CLOCK_BYTES);
    if (view) writeWallClock(view, this.#thread.unixNow(), this.#vm.at(this.#thread.now()));
  }

  /** The guest chose the address: what is not in one page of memory is written nowhere. */
  #structure(gpa: number, lengthBytes: number): DataView | undefined {
    if ((gpa % PAGE_BYTES) + lengthBytes > PAGE_BYTES) return undefined;
    const address = this.#unit.writableAddressOf(BigInt(gpa)) >>> 0;
    return address === NO_MEMORY ? undefined : new DataView(this.#buffer, address, lengthBytes);
  }
}
