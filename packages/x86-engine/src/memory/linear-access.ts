/** The system's side's own accesses to memory, by linear addresses (system/processor.ts). */
import { GuestFault, VECTOR } from '../system/guest-fault.ts';
import { isCanonical, type LinearMemory, type Privilege } from '../system/processor.ts';
import { isMisaligned } from './alignment-check.ts';
import { NO_MEMORY, type PhysicalMemory } from './physical-memory.ts';
import type { Translations } from './translation.ts';
import type { AccessKind, Rights } from './unit-numbers.ts';

const PAGE_BYTES = 4096n;
/** What a read of no memory gives: an idle bus. */
const IDLE_BYTE = 0xffn;

type LengthBytes = 1 | 2 | 4 | 8;

/** Else it is of several fields. */
const isLength = (lengthBytes: number): lengthBytes is LengthBytes => [1, 2, 4, 8].includes(lengthBytes);

/** What accesses depend on, as it is now. */
export interface AccessMode {
  /** Those of explicit supervisor accesses, by RFLAGS.AC. */
  supervisorRights(): Rights;
  /** Of a user's accesses. */
  checksAlignment(): boolean;
}

export class LinearAccess implements LinearMemory {
  readonly #memory: PhysicalMemory;
  readonly #translations: Translations;
  readonly #mode: AccessMode;

  constructor(memory: PhysicalMemory, translations: Translations, mode: AccessMode) {
    this.#memory = memory;
    this.#translations = translations;
    this.#mode = mode;
  }

  read(gva: bigint, lengthBytes: LengthBytes, privilege: Privilege): bigint {
    this.#checkAlignment(gva, lengthBytes, privilege);
    const address = this.#whole(gva, lengthBytes, 'read', privilege);
    if (address !== undefined) return this.#load(address, lengthBytes);
    let value = 0n;
    for (let at = 0; at < lengthBytes; at++) {
      const byte = this.#addressOf(gva + BigInt(at), 'read', privilege);
      value |= (byte === NO_MEMORY ? IDLE_BYTE : BigInt(this.#memory.bytes[byte]!)) << BigInt(at * 8);
    }
    return value;
  }

  write(gva: bigint, lengthBytes: LengthBytes, value: bigint, privilege: Privilege): void {
    this.#checkAlignment(gva, lengthBytes, privilege);
    const address = this.#whole(gva, lengthBytes, 'write', privilege);
    if (address !== undefined) {
      this.#store(address, lengthBytes, value);
      return;
    }
    const addresses = Array.from({ length: lengthBytes }, (_, at) =>
      this.#addressOf(gva + BigInt(at), 'write', privilege),
    );
    for (const [at, byte] of addresses.entries())
      if (byte !== NO_MEMORY) this.#memory.bytes[byte] = Number((value >> BigInt(at * 8)) & 0xffn);
  }

  /** Faults as an access would. */
  check(gva: bigint, lengthBytes: number, kind: 'read' | 'write', privilege: Privilege): void {
    if (isLength(lengthBytes)) this.#checkAlignment(gva, lengthBytes, privilege);
    this.#addressOf(gva, kind, privilege);
    this.#addressOf(gva + BigInt(lengthBytes - 1), kind, privilege);
  }

  #checkAlignment(gva: bigint, lengthBytes: LengthBytes, privilege: Privilege): void {
    if (privilege === 'user' && this.#mode.checksAlignment() && isMisaligned(gva, lengthBytes))
      throw new GuestFault(VECTOR.AC, 0);
  }

  /** Where it is in our memory, if it is within a page of memory. */
  #whole(gva: bigint, lengthBytes: LengthBytes, kind: AccessKind, privilege: Privilege): number | undefined {
    if ((gva & (PAGE_BYTES - 1n)) + BigInt(lengthBytes) > PAGE_BYTES) return undefined;
    const address = this.#addressOf(gva, kind, privilege);
    return address === NO_MEMORY ? undefined : address;
  }

  #addressOf(gva: bigint, kind: AccessKind, privilege: Privilege): number {
    const address = BigInt.asUintN(64, gva);
    if (!isCanonical(address)) throw new GuestFault(VECTOR.GP, 0);
    const found = this.#translations.addressOf(address, kind, this.#rights(privilege));
    if (found !== NO_MEMORY) return found;
    const place = this.#translations.noAddress();
    if ('errorCode' in place) throw new GuestFault(VECTOR.PF, place.errorCode, address);
    return NO_MEMORY;
  }

  /** The processor's own accesses are a supervisor's, whatever AC says (Intel SDM Vol. 3A §4.6 "Access Rights"). */
  #rights(privilege: Privilege): Rights {
    if (privilege === 'user') return 'user';
    return privilege === 'system' ? 'supervisor' : this.#mode.supervisorRights();
  }

  #load(address: number, lengthBytes: LengthBytes): bigint {
    const { view } = this.#memory;
    switch (lengthBytes) {
      case 1:
        return BigInt(view.getUint8(address));
      case 2:
        return BigInt(view.getUint16(address, true));
      case 4:
        return BigInt(view.getUint32(address, true));
      case 8:
        return view.getBigUint64(address, true);
    }
  }

  #store(address: number, lengthBytes: LengthBytes, value: bigint): void {
    const { view } = this.#memory;
    switch (lengthBytes) {
      case 1:
        view.setUint8(address, Number(value & 0xffn));
        break;
      case 2:
        view.setUint16(address, Number(value & 0xffffn), true);
        break;
      case 4:
        view.setUint32(address, Number(value & 0xffff_ffffn), true);
        break;
      case 8:
        view.setBigUint64(address, BigInt.asUintN(64, value), true);
    }
  }
}
