/**
 * The interpreter's accesses to memory that its TLB does not serve: page walks, limits of segments, accesses across pages
 * and to devices. What faults is kept in `fault`, for the instruction leaves without having changed anything.
 */
import { type FaultEvent, faultEvent } from '../system/guest-event.ts';
import { VECTOR } from '../system/guest-fault.ts';
import type { DeviceAccess, Part } from './device-access.ts';
import { NO_MEMORY } from './physical-memory.ts';
import type { Translations } from './translation.ts';
import type { Rights } from './unit-numbers.ts';

const PAGE_BYTES = 4096;

export interface SlowAccessContext {
  /** Whose rights the running code has. */
  readonly rights: Rights;
  /** Whether linear addresses have 64 bits, and must be canonical. */
  readonly is64Bit: boolean;
  /** Whether the instruction of a record has its operand in the stack segment, which faults apart. */
  isOnStack(record: number): boolean;
  /** Whether it reads the memory that it writes. */
  readsDestination(record: number): boolean;
  /** Whether alignment checks are on and refuse an access of the instruction. */
  isMisaligned(record: number, gva: bigint, lengthBytes: number): boolean;
  /** Stops behind the instruction of a record. */
  endAfter(record: number): void;
  /** An access to a page of `Translations.watchedPages`. */
  onWatched(record: number, gva: bigint, lengthBytes: number, isWrite: boolean): void;
}

type Kind = 'read' | 'write';

export class SlowAccess {
  readonly #translations: Translations;
  readonly #devices: DeviceAccess;
  readonly #context: SlowAccessContext;
  fault: FaultEvent | undefined;

  constructor(translations: Translations, devices: DeviceAccess, context: SlowAccessContext) {
    this.#translations = translations;
    this.#devices = devices;
    this.#context = context;
  }

  /** @returns where it is in our memory, or 0 */
  access(kind: Kind, record: number, gva: bigint, lengthBytes: number): number {
    const address = BigInt.asUintN(64, gva);
    if (this.#context.is64Bit && !isCanonicalRange(address, lengthBytes))
      return this.raise(this.#context.isOnStack(record) ? VECTOR.SS : VECTOR.GP, 0);
    if (this.#context.isMisaligned(record, address, lengthBytes)) return this.raise(VECTOR.AC, 0);
    const parts = this.#parts(kind, address, lengthBytes);
    if (parts === undefined) return 0;
    if (this.#isWatched(address, lengthBytes))
      this.#context.onWatched(record, address, lengthBytes, kind === 'write');
    const [first] = parts;
    if (parts.length === 1 && first!.address !== NO_MEMORY) return first!.address;
    return this.#viaScratch(kind, record, address, parts);
  }

  raise(vector: number, errorCode?: number, gva?: bigint): 0 {
    this.fault = faultEvent(vector, errorCode, gva);
    return 0;
  }

  #viaScratch(kind: Kind, record: number, gva: bigint, parts: readonly Part[]): number {
    const devices = this.#devices;
    const at =
      kind === 'read'
        ? devices.read(parts, gva)
        : devices.write(parts, gva, this.#context.readsDestination(record));
    if (at !== 0 && (kind === 'write' || devices.hasAnswers)) this.#context.endAfter(record);
    return at;
  }

  /** Page by page; undefined when one faults. */
  #parts(kind: Kind, gva: bigint, lengthBytes: number): Part[] | undefined {
    const parts: Part[] = [];
    for (let done = 0; done < lengthBytes; ) {
      const at = this.#context.is64Bit ? gva + BigInt(done) : BigInt.asUintN(32, gva + BigInt(done));
      const place = this.#translations.translate(at, kind, this.#context.rights);
      if ('errorCode' in place) {
        this.raise(VECTOR.PF, place.errorCode, at);
        return undefined;
      }
      const left = PAGE_BYTES - Number(at & BigInt(PAGE_BYTES - 1));
      const length = Math.min(left, lengthBytes - done);
      const { address, gpa, readAddress = address } = place;
      parts.push({ address, readAddress, gpa, lengthBytes: length });
      done += length;
    }
    return parts;
  }

  #isWatched(gva: bigint, lengthBytes: number): boolean {
    const { watchedPages } = this.#translations;
    if (watchedPages.size === 0) return false;
    const page = (address: bigint) => address - (address % BigInt(PAGE_BYTES));
    return watchedPages.has(page(gva)) || watchedPages.has(page(gva + BigInt(lengthBytes - 1)));
  }
}

const HALF = 1n << 47n;
const SPACE = 1n << 64n;

function isCanonicalRange(gva: bigint, lengthBytes: number): boolean {
  const last = gva + BigInt(lengthBytes) - 1n;
  return last < HALF || (gva >= SPACE - HALF && last < SPACE);
}
