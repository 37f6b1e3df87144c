/** Finds the decoded code at a vCPU's RIP, or what fetching it raises. */
import { undecodableText } from '@vireo/x86-isa';
import { NO_MEMORY } from '../memory/physical-memory.ts';
import { CODE_OUTCOME } from '../memory/unit-numbers.ts';
import { PAGE_BYTES } from '../memory-map.ts';
import { type FaultEvent, faultEvent } from '../system/guest-event.ts';
import { VECTOR } from '../system/guest-fault.ts';
import type { VcpuCore } from './vcpu-core.ts';

/** What is executed and is no instruction of the table. */
export interface UndefinedInstruction {
  /** Its linear address. */
  readonly gva: bigint;
  /** As a disassembler shows it, with the bytes that are there on its page; empty where no memory is. */
  readonly text: string;
}

/** Told each time before #UD is raised for one. */
export type UndefinedListener = (instruction: UndefinedInstruction) => void;

const PAGE_MASK = 0xfffn;
const MAX_INSTRUCTION_BYTES = 15;

export class CodeFetch {
  readonly #core: VcpuCore;
  readonly #onUndefined: UndefinedListener | undefined;

  constructor(core: VcpuCore, onUndefined?: UndefinedListener) {
    this.#core = core;
    this.#onUndefined = onUndefined;
  }

  get linearRip(): bigint {
    const { is64Bit, general, special } = this.#core;
    return is64Bit ? general.rip : BigInt.asUintN(32, special.cs.base + general.rip);
  }

  /** The record of the instruction at RIP, or what fetching it raises; undefined: it is to be looked for again. */
  find(): number | FaultEvent | undefined {
    const { unit, general } = this.#core;
    const record = unit.findCode(general.rip) >>> 0;
    if (record !== 0) return record;
    switch (unit.codeOutcome.value) {
      case CODE_OUTCOME.beyondLimit:
        return faultEvent(VECTOR.GP, 0);
      case CODE_OUTCOME.notMemory:
        return this.#notMemory();
      default:
        return this.#decode(unit.codeAddress.value >>> 0);
    }
  }

  /** Nothing but memory is executed: what an idle bus reads as is no instruction. */
  #notMemory(): FaultEvent {
    const place = this.#core.translations.noAddress();
    if ('errorCode' in place) return faultEvent(VECTOR.PF, place.errorCode, this.linearRip);
    return this.#undefined(NO_MEMORY);
  }

  #decode(address: number): number | FaultEvent | undefined {
    const { code, general, modeBits } = this.#core;
    const place = { rip: general.rip, address, bytesInSegment: this.#bytesInSegment() };
    let fault: FaultEvent | undefined;
    const found = code.decode(place, modeBits, () => {
      const next = this.#nextPage();
      if (typeof next === 'number') return next;
      fault = next;
      return undefined;
    });
    if (typeof found === 'number') return found;
    if (found === 'written') return undefined;
    if (found === 'invalid') return this.#undefined(address);
    return fault ?? faultEvent(VECTOR.GP, 0);
  }

  #bytesInSegment(): number {
    const { is64Bit, general, special } = this.#core;
    return is64Bit ? Number.POSITIVE_INFINITY : special.cs.limit - Number(general.rip) + 1;
  }

  /** Where the page behind that of RIP is. */
  #nextPage(): number | FaultEvent {
    const { is64Bit, rights, translations } = this.#core;
    const next = BigInt.asUintN(is64Bit ? 64 : 32, (this.linearRip | PAGE_MASK) + 1n);
    const place = translations.translate(next, 'execute', rights);
    return 'errorCode' in place ? faultEvent(VECTOR.PF, place.errorCode, next) : place.address;
  }

  #undefined(address: number): FaultEvent {
    const text = address === NO_MEMORY ? '' : undecodableText(this.#bytesAt(address));
    this.#onUndefined?.({ gva: this.linearRip, text });
    return faultEvent(VECTOR.UD);
  }

  #bytesAt(address: number): Uint8Array {
    const pageEnd = address - (address % PAGE_BYTES) + PAGE_BYTES;
    return this.#core.physical.bytes.slice(address, Math.min(pageEnd, address + MAX_INSTRUCTION_BYTES));
  }
}
