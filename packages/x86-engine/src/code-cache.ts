/**
 * Decodes a vCPU's code into stretches of records, for the memory unit to find again (assembly/memory-unit/decoded-code.ts):
 * from an address that was jumped to up to an instruction that always jumps, the end of the page, or a limit.
 */
import { type Decoded, decode, type ModeBits } from '@vireo/x86-isa';
import type { RecordWriter } from './interpreter/record-writer.ts';
import type { MemoryUnit } from './memory/memory-unit.ts';
import type { PhysicalMemory } from './memory/physical-memory.ts';
import type { VcpuArea } from './memory-map.ts';
import { RECORD_BYTES } from './record.ts';

const MAX_INSTRUCTIONS = 64;
const PAGE_BYTES = 4096;
const MAX_INSTRUCTION_BYTES = 15;
const MOST_STRETCH_BYTES = (MAX_INSTRUCTIONS + 1) * RECORD_BYTES + MAX_INSTRUCTIONS * MAX_INSTRUCTION_BYTES;
const ENDS_STRETCH = new Set(['JMP', 'RET', 'RETF', 'IRET', 'SYSRET', 'SYSEXIT', 'UD2', 'HLT']);

/** Where code is: its address in the code segment, and in our memory. */
export interface CodePlace {
  readonly rip: bigint;
  readonly address: number;
  /** How many bytes there are up to the code segment's limit. */
  readonly bytesInSegment: number;
}

/** Where the page behind is in our memory, when an instruction needs it; 0 where there is no memory, undefined: it faults. */
export type FetchNext = () => number | undefined;

/**
 * 'too-long': longer than instructions may be, or than its segment. 'written': another vCPU has written there meanwhile, which
 * this one may already have been asked to forget; it is to be looked at again, after whatever is pending.
 */
export type Found = number | 'invalid' | 'too-long' | 'fault' | 'written';

interface Stretch extends CodePlace {
  readonly version: number;
  readonly record: number;
}

interface CodeCacheOptions {
  readonly writer: RecordWriter;
  /** The handler of what is behind a stretch. */
  readonly fallThrough: number;
  /** Has all vCPUs forget translations that let code be written. */
  readonly onWritableCode: () => void;
}

export class CodeCache {
  readonly #area: VcpuArea;
  readonly #memory: PhysicalMemory;
  readonly #unit: MemoryUnit;
  readonly #options: CodeCacheOptions;
  #next: number;

  constructor(area: VcpuArea, memory: PhysicalMemory, unit: MemoryUnit, options: CodeCacheOptions) {
    this.#area = area;
    this.#memory = memory;
    this.#unit = unit;
    this.#options = options;
    this.#next = area.records;
  }

  /** Decodes what is at a place. @returns its record */
  decode(place: CodePlace, modeBits: ModeBits, fetchNext: FetchNext): Found {
    const { address } = place;
    const version = this.#versionOf(address);
    const { records, recordsBytes } = this.#area;
    if (this.#next + MOST_STRETCH_BYTES > records + recordsBytes) this.#clear();
    const stretch = { ...place, version, record: this.#next };
    const end = address - (address % PAGE_BYTES) + PAGE_BYTES;
    // A copy: another vCPU may be writing there.
    const bytes = this.#memory.bytes.slice(
      address,
      Math.min(end, address + Math.min(MAX_INSTRUCTIONS * MAX_INSTRUCTION_BYTES, place.bytesInSegment)),
    );
    const length = this.#writeRecords(bytes, modeBits);
    if (length > 0) return this.#keep(stretch, bytes.subarray(0, length));
    const first = decode(bytes, modeBits);
    if (first !== 'truncated')
      return this.#isWritten(stretch) ? 'written' : (first as 'invalid' | 'too-long');
    if (place.bytesInSegment <= end - address) return 'too-long';
    return this.#decodeAcross(stretch, modeBits, fetchNext);
  }

  /** One instruction that goes on in the next page. */
  #decodeAcross(stretch: Stretch, modeBits: ModeBits, fetchNext: FetchNext): Found {
    const next = fetchNext();
    if (next === undefined) return 'fault';
    const nextVersion = next === 0 ? 0 : this.#versionOf(next);
    const { address, record } = stretch;
    const inPage = PAGE_BYTES - (address % PAGE_BYTES);
    const bytes = new Uint8Array(MAX_INSTRUCTION_BYTES).fill(0xff);
    bytes.set(this.#memory.bytes.subarray(address, address + inPage));
    if (next !== 0)
      bytes.set(this.#memory.bytes.subarray(next, next + MAX_INSTRUCTION_BYTES - inPage), inPage);
    const decoded = decode(bytes, modeBits);
    if (typeof decoded === 'string') return decoded === 'truncated' ? 'too-long' : decoded;
    if (decoded.lengthBytes > stretch.bytesInSegment) return 'too-long';
    this.#next = this.#options.writer.write(record, decoded, 0, modeBits);
    return this.#keep(stretch, bytes.subarray(0, decoded.lengthBytes), next, nextVersion);
  }

  /**
   * Of a page that is about to be decoded, a write to which is noticed from now on. It is from before that: a page that is
   * written while it is decoded has another.
   */
  #versionOf(address: number): number {
    const { states } = this.#memory;
    const version = states.version(address);
    if (states.markCode(address)) {
      this.#options.onWritableCode();
      states.settled(address, version);
    }
    return version;
  }

  /** Whether a page has another version than before it was read; one without an address has not. */
  #isWritten({ address, version }: { readonly address: number; readonly version: number }): boolean {
    return address !== 0 && this.#memory.states.version(address) !== version;
  }

  /** @returns how many bytes were decoded */
  #writeRecords(bytes: Uint8Array, modeBits: ModeBits): number {
    let at = 0;
    for (let count = 0; count < MAX_INSTRUCTIONS && at < bytes.length; count++) {
      const decoded = decode(bytes, modeBits, at);
      if (typeof decoded === 'string') break;
      this.#next = this.#options.writer.write(this.#next, decoded, at, modeBits);
      at += decoded.lengthBytes;
      if (endsStretch(decoded)) break;
    }
    return at;
  }

  /** Behind its records are a copy of its bytes, with which the memory unit compares what is there later. */
  #keep(
    { rip, address, version, record }: Stretch,
    bytes: Uint8Array,
    nextAddress = 0,
    nextVersion = 0,
  ): number | 'written' {
    if (
      this.#isWritten({ address, version }) ||
      this.#isWritten({ address: nextAddress, version: nextVersion })
    ) {
      this.#next = record;
      return 'written';
    }
    const copy = this.#options.writer.end(this.#next, this.#options.fallThrough, bytes.length);
    this.#memory.bytes.set(bytes, copy);
    this.#next = copy + Math.ceil(bytes.length / 8) * 8;
    this.#unit.keepCode(rip, address, version, record, copy, bytes.length, nextAddress, nextVersion);
    return record;
  }

  /** Makes room: all records are decoded again when they are needed. */
  #clear(): void {
    this.#unit.forgetStretches();
    this.#next = this.#area.records;
  }
}

function endsStretch({ instruction: { mnemonic } }: Decoded): boolean {
  return ENDS_STRETCH.has(mnemonic);
}
