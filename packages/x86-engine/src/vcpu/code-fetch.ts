/** Finds the decoded code at a vCPU's RIP, or what fetching it raises. */
import type { CodePlace } from '../code-cache.ts';
import { type FaultEvent, faultEvent } from '../system/guest-event.ts';
import { VECTOR } from '../system/guest-fault.ts';
import { isCanonical } from '../system/processor.ts';
import type { VcpuCore } from './vcpu-core.ts';

/** Told of what is executed and is no instruction: where, and the bytes there. */
export type UndefinedListener = (rip: bigint, bytes: Uint8Array) => void;

const PAGE_BITS = 12n;
const PAGE_MASK = 0xfffn;
const MAX_INSTRUCTION_BYTES = 15;

export class CodeFetch {
  readonly #core: VcpuCore;
  readonly #onUndefined: UndefinedListener | undefined;
  /** Where pages of code are, by page and privilege. */
  readonly #pages = new Map<number, CodePlace>();

  constructor(core: VcpuCore, onUndefined?: UndefinedListener) {
    this.#core = core;
    this.#onUndefined = onUndefined;
    core.onTranslationsGone = () => this.#pages.clear();
  }

  get linearRip(): bigint {
    const { is64Bit, general, special } = this.#core;
    return is64Bit ? general.rip : BigInt.asUintN(32, special.cs.base + general.rip);
  }

  /** The record of the instruction at RIP, or what fetching it raises. */
  find(): number | FaultEvent {
    const core = this.#core;
    const { rip } = core.general;
    if (core.is64Bit ? !isCanonical(rip) : rip > BigInt(core.special.cs.limit))
      return faultEvent(VECTOR.GP, 0);
    const linear = this.linearRip;
    const place = this.#page(linear);
    if ('errorCode' in place) return faultEvent(VECTOR.PF, place.errorCode, linear);
    // Nothing but memory is executed: what an idle bus reads as is no instruction.
    if (place.address === 0) return this.#undefined(new Uint8Array());
    let fault: FaultEvent | undefined;
    const found = core.code.find(linear, place, core.modeBits, () => {
      const next = core.is64Bit ? (linear | PAGE_MASK) + 1n : BigInt.asUintN(32, (linear | PAGE_MASK) + 1n);
      const following = this.#page(next);
      if (!('errorCode' in following)) return following;
      fault = faultEvent(VECTOR.PF, following.errorCode, next);
      return undefined;
    });
    if (typeof found === 'number') return found;
    if (found === 'invalid') return this.#undefined(this.#bytesAt(place));
    return fault ?? faultEvent(VECTOR.GP, 0);
  }

  /** Tells of the instruction at RIP, which has raised #UD. */
  reportUndefined(): void {
    const place = this.#page(this.linearRip);
    if (!('errorCode' in place) && place.address !== 0) this.#undefined(this.#bytesAt(place));
  }

  #undefined(bytes: Uint8Array): FaultEvent {
    this.#onUndefined?.(this.#core.general.rip, bytes);
    return faultEvent(VECTOR.UD);
  }

  #bytesAt({ address }: CodePlace): Uint8Array {
    return this.#core.physical.bytes.slice(address, address + MAX_INSTRUCTION_BYTES);
  }

  #page(linear: bigint): CodePlace | { readonly errorCode: number } {
    const { rights, translations } = this.#core;
    const key = Number(linear >> PAGE_BITS) * 2 + (rights === 'user' ? 1 : 0);
    const offset = Number(linear & PAGE_MASK);
    const known = this.#pages.get(key);
    if (known !== undefined)
      return known.address === 0 ? known : { ...known, address: known.address + offset };
    const place = translations.translate(linear, 'execute', rights);
    if ('errorCode' in place) return place;
    const { address, isGlobal } = place;
    this.#pages.set(key, { address: address === 0 ? 0 : address - offset, isGlobal });
    return place;
  }
}
