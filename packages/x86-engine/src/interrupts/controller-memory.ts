/**
 * All state of the interrupt controllers and timers of one VM, as words of one shared buffer, so that every thread sees
 * the same: vCPUs' threads access registers, any thread raises interrupts.
 *
 * Everything is read and written under one lock (`HEADER.lock`), except each vCPU's `LAPIC.pending` and `LAPIC.wake` and
 * the times, which are also read without.
 */
import { SharedLock } from '@vireo/guest-memory/shared-lock';

/** What belongs to no single controller. */
export const HEADER = {
  lock: 0,
  /** The APIC id that took the last lowest-priority message. */
  lastArbitrated: 1,
  /** Level of the master 8259A's INT output. */
  picOutput: 2,
  /** Counts changes of the PIT's deadline; notified. */
  pitDoorbell: 3,
  /** Host time in nanoseconds of the PIT's next edge (64 bits). */
  pitDeadline: 4,
  /** Bit 1 of port 61h. */
  speakerData: 6,
  routeCount: 7,
  words: 16,
} as const;

export const IOAPIC = {
  ioregsel: 0,
  id: 1,
  /** Level of each pin. */
  irr: 2,
  /** Edges among them that have been sent. */
  delivered: 3,
  baseAddress: 4,
  /** 24 entries of two words, low half first. */
  redirectionTable: 16,
  words: 64,
} as const;

/** One 8259A; the words are in the order of `PIC_STATE_FIELDS`. */
export const PIC = { words: 16 } as const;

/** One counter of the 8254. */
export const PIT_CHANNEL = {
  count: 0,
  latchedCount: 1,
  countLatched: 2,
  statusLatched: 3,
  status: 4,
  readState: 5,
  writeState: 6,
  writeLatch: 7,
  rwMode: 8,
  mode: 9,
  bcd: 10,
  gate: 11,
  /** Host time in nanoseconds (64 bits). */
  countLoadTime: 12,
  /** Whether the counter has a count to count down, and was triggered if it needs that. */
  armed: 14,
  words: 16,
} as const;

/** One local APIC. */
export const LAPIC = {
  /** Its registers as the page lays them out, 1,024 bytes; unused offsets are zero. */
  page: 0,
  /** `PENDING_…`: what its vCPU has to look at. Changed with Atomics, readable without the lock. */
  pending: 256,
  /** Counts changes from 0 to 1 of bits of `pending`; notified. */
  wake: 257,
  /** Errors since the last write of the error status register. */
  errors: 258,
  sipiVector: 259,
  /** IA32_APIC_BASE (64 bits). */
  apicBase: 260,
  /** Host time in nanoseconds at which the timer fires, masked or not (64 bits). */
  timerDeadline: 262,
  /** IA32_TSC_DEADLINE (64 bits). */
  tscDeadline: 264,
  words: 272,
} as const;

export const ROUTE = {
  gsi: 0,
  /** `ROUTE_TO_…`. */
  kind: 1,
  pin: 2,
  data: 3,
  /** 64 bits. */
  address: 4,
  words: 6,
} as const;

/** As many as Linux has (Linux KVM API §4.52 "KVM_SET_GSI_ROUTING"). */
export const MAX_ROUTES = 4096;

/** A time that never comes. */
export const NEVER = 2n ** 63n - 1n;

const IOAPIC_AT = HEADER.words;
const PICS_AT = IOAPIC_AT + IOAPIC.words;
const PIT_AT = PICS_AT + 2 * PIC.words;
const LAPICS_AT = PIT_AT + 3 * PIT_CHANNEL.words;

const WORD_BYTES = 4;

function wordsFor(vcpus: number): number {
  return LAPICS_AT + vcpus * LAPIC.words + MAX_ROUTES * ROUTE.words;
}

/** One thread's view of the words. */
export class ControllerMemory {
  readonly words: Int32Array<SharedArrayBuffer>;
  /** The same memory: 64-bit fields are at even words, and this counts them in pairs. */
  readonly #wide: BigInt64Array<SharedArrayBuffer>;
  readonly lock: SharedLock;
  /** Called when a vCPU has something new to look at, in whichever thread made it so. */
  alert: (apicId: number) => void = () => {};
  readonly vcpus: number;
  readonly ioapicAt = IOAPIC_AT;
  readonly pitAt = PIT_AT;
  readonly routesAt: number;

  /** `byteOffset` is a multiple of 64. */
  constructor(buffer: SharedArrayBuffer, vcpus: number, byteOffset = 0) {
    const length = wordsFor(vcpus);
    this.words = new Int32Array(buffer, byteOffset, length);
    this.#wide = new BigInt64Array(buffer, byteOffset, length / 2);
    this.lock = new SharedLock(this.words, HEADER.lock);
    this.vcpus = vcpus;
    this.routesAt = LAPICS_AT + vcpus * LAPIC.words;
  }

  static sizeBytes(vcpus: number): number {
    return wordsFor(vcpus) * WORD_BYTES;
  }

  picAt(chip: 0 | 1): number {
    return PICS_AT + chip * PIC.words;
  }

  lapicAt(apicId: number): number {
    return LAPICS_AT + apicId * LAPIC.words;
  }

  /** A 64-bit field, signed; `at` is a word's index. Needs no lock. */
  readWide(at: number): bigint {
    return Atomics.load(this.#wide, at / 2);
  }

  writeWide(at: number, value: bigint): void {
    Atomics.store(this.#wide, at / 2, value);
  }
}
