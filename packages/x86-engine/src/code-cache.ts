/**
 * A vCPU's decoded code. Stretches of records are found by the physical address and the mode of their code; what jumps
 * look into (code-table.ts) finds them by linear addresses, and is filled from here.
 *
 * A stretch counts while the versions of the pages that its bytes are on have not changed (memory/page-states.ts). Writes by
 * the host, a device's, change no version: so a stretch is compared with its bytes when it is found by a linear address that
 * was forgotten, as those of a page are that the guest has filled by a device and mapped anew.
 */
import { type Decoded, decode, type ModeBits } from '@vireo/x86-isa';
import { CODE_TABLE_ENTRY, CODE_TABLE_ENTRY_BYTES, codeTablePlace, NO_CODE } from './code-table.ts';
import { offsetOf } from './cpu-state.ts';
import type { RecordWriter } from './interpreter/record-writer.ts';
import type { PhysicalMemory } from './memory/physical-memory.ts';
import type { VcpuArea } from './memory-map.ts';
import { RECORD_BYTES } from './record.ts';

const MAX_INSTRUCTIONS = 64;
const PAGE_BYTES = 4096;
const MAX_INSTRUCTION_BYTES = 15;
const REGION_BITS = 21n;
/** So many entries of one page, some of them again and again, take more time to drop than all do. */
const MOST_NOTED = 4096;
/** Generations of the two kinds are never the same number. */
const GENERATION_STEP = 2;
const ENDS_STRETCH = new Set(['JMP', 'RET', 'RETF', 'IRET', 'SYSRET', 'SYSEXIT', 'UD2', 'HLT']);

/** Where code can be fetched from. */
export interface CodePlace {
  /** In our memory; 0 where there is none: code of devices is not run. */
  readonly address: number;
  readonly isGlobal: boolean;
}

interface Stretch {
  readonly record: number;
  readonly address: number;
  readonly version: number;
  /** Of the page after it, where the only instruction goes on there. */
  readonly nextAddress: number;
  readonly nextVersion: number;
  /** What was decoded. */
  readonly bytes: Uint8Array;
}

type NewStretch = Omit<Stretch, 'bytes'>;

/** Where the page behind is, when an instruction needs it; undefined when fetching there faults. */
export type FetchNext = () => CodePlace | undefined;

export type Found = number | 'invalid' | 'too-long' | 'fault';

export class CodeCache {
  readonly #area: VcpuArea;
  readonly #memory: PhysicalMemory;
  readonly #writer: RecordWriter;
  readonly #fallThrough: number;
  readonly #onWritableCode: () => void;
  readonly #stretches = new Map<number, Stretch>();
  /** Entries of the code table, by the page of ours that their code is on. */
  readonly #entries = new Map<number, number[]>();
  /** Regions of 2 MiB of linear addresses that some entry is or was in. */
  readonly #regions = new Set<bigint>();
  #next: number;

  /** `onWritableCode`: has all vCPUs forget translations that let code be written. */
  constructor(
    area: VcpuArea,
    memory: PhysicalMemory,
    {
      writer,
      fallThrough,
      onWritableCode,
    }: { writer: RecordWriter; fallThrough: number; onWritableCode: () => void },
  ) {
    this.#area = area;
    this.#memory = memory;
    this.#writer = writer;
    this.#fallThrough = fallThrough;
    this.#onWritableCode = onWritableCode;
    this.#next = area.records;
    this.#setGeneration('localGeneration', 1);
    this.#setGeneration('globalGeneration', 2);
  }

  /** Linear addresses may mean something else now: all, or all but those of global pages. */
  forgetAddresses(which: 'all' | 'non-global'): void {
    this.#advance('localGeneration');
    if (which !== 'all') return;
    this.#advance('globalGeneration');
    this.#regions.clear();
    this.#entries.clear();
  }

  /** The same for a linear address, and the large page that it may be on. */
  forgetAddress(linear: bigint): void {
    if (this.#regions.has(linear >> REGION_BITS)) this.forgetAddresses('all');
  }

  /** The code of a page of ours has been written. */
  forgetPage(address: number): void {
    const page = address - (address % PAGE_BYTES);
    for (const entry of this.#entries.get(page) ?? [])
      this.#memory.view.setBigUint64(entry + CODE_TABLE_ENTRY.rip, NO_CODE, true);
    this.#entries.delete(page);
  }

  /** The record of the instruction at a linear address, whose code is at `place`. */
  find(linear: bigint, place: CodePlace, modeBits: ModeBits, fetchNext: FetchNext): Found {
    const key = place.address * 4 + (modeBits >> 5);
    const known = this.#stretches.get(key);
    const stretch = known && this.#isCurrent(known) ? known : this.#decode(key, place, modeBits, fetchNext);
    if (typeof stretch === 'string') return stretch;
    this.#enter(linear, stretch, place.isGlobal && stretch.nextAddress === 0);
    return stretch.record;
  }

  #isCurrent({ address, version, nextAddress, nextVersion, bytes }: Stretch): boolean {
    const { states, bytes: memory } = this.#memory;
    if (states.version(address) !== version) return false;
    if (nextAddress !== 0 && states.version(nextAddress) !== nextVersion) return false;
    const inPage = PAGE_BYTES - (address % PAGE_BYTES);
    for (let i = 0; i < bytes.length; i++)
      if (memory[i < inPage ? address + i : nextAddress + i - inPage] !== bytes[i]) return false;
    return true;
  }

  #enter(linear: bigint, { record, address, nextAddress }: Stretch, isGlobal: boolean): void {
    const { view } = this.#memory;
    const entry = this.#area.codeTable + codeTablePlace(linear) * CODE_TABLE_ENTRY_BYTES;
    view.setBigUint64(entry + CODE_TABLE_ENTRY.rip, linear, true);
    view.setUint32(entry + CODE_TABLE_ENTRY.record, record, true);
    const generation = this.#generation(isGlobal ? 'globalGeneration' : 'localGeneration');
    view.setUint32(entry + CODE_TABLE_ENTRY.generation, generation, true);
    this.#regions.add(linear >> REGION_BITS);
    this.#note(address, entry);
    if (nextAddress !== 0) this.#note(nextAddress, entry);
  }

  /** Entries of other code that has taken the place are dropped with it, which does no harm. */
  #note(address: number, entry: number): void {
    const page = address - (address % PAGE_BYTES);
    const entries = this.#entries.get(page);
    if (entries === undefined) this.#entries.set(page, [entry]);
    else if (entries.length < MOST_NOTED) entries.push(entry);
    else this.forgetAddresses('all');
  }

  #decode(
    key: number,
    place: CodePlace,
    modeBits: ModeBits,
    fetchNext: FetchNext,
  ): Stretch | Exclude<Found, number> {
    const { address } = place;
    if (this.#memory.states.markCode(address)) this.#onWritableCode();
    const version = this.#memory.states.version(address);
    const { records, recordsBytes } = this.#area;
    if (this.#next + (MAX_INSTRUCTIONS + 1) * RECORD_BYTES > records + recordsBytes) this.#clear();
    const end = address - (address % PAGE_BYTES) + PAGE_BYTES;
    const record = this.#next;
    // A copy: another vCPU may be writing there.
    const bytes = this.#memory.bytes.slice(
      address,
      Math.min(end, address + MAX_INSTRUCTIONS * MAX_INSTRUCTION_BYTES),
    );
    const length = this.#writeRecords(bytes, modeBits);
    if (length > 0) {
      const stretch = { record, address, version, nextAddress: 0, nextVersion: 0 };
      return this.#keep(key, stretch, bytes.slice(0, length));
    }
    const first = decode(bytes, modeBits);
    if (first !== 'truncated') return first as 'invalid' | 'too-long';
    return this.#decodeAcross(key, { record, address, version }, modeBits, fetchNext);
  }

  /** One instruction that goes on in the next page. */
  #decodeAcross(
    key: number,
    { record, address, version }: Pick<Stretch, 'record' | 'address' | 'version'>,
    modeBits: ModeBits,
    fetchNext: FetchNext,
  ): Stretch | Exclude<Found, number> {
    const next = fetchNext();
    if (next === undefined) return 'fault';
    if (next.address !== 0 && this.#memory.states.markCode(next.address)) this.#onWritableCode();
    const nextVersion = next.address === 0 ? 0 : this.#memory.states.version(next.address);
    const inPage = PAGE_BYTES - (address % PAGE_BYTES);
    const bytes = new Uint8Array(MAX_INSTRUCTION_BYTES).fill(0xff);
    bytes.set(this.#memory.bytes.subarray(address, address + inPage));
    if (next.address !== 0)
      bytes.set(
        this.#memory.bytes.subarray(next.address, next.address + MAX_INSTRUCTION_BYTES - inPage),
        inPage,
      );
    const decoded = decode(bytes, modeBits);
    if (typeof decoded === 'string') return decoded === 'truncated' ? 'too-long' : decoded;
    this.#next = this.#writer.write(record, decoded, 0, modeBits);
    return this.#keep(
      key,
      { record, address, version, nextAddress: next.address, nextVersion },
      bytes.slice(0, next.address === 0 ? inPage : decoded.lengthBytes),
      decoded.lengthBytes,
    );
  }

  /** @returns how many bytes were decoded */
  #writeRecords(bytes: Uint8Array, modeBits: ModeBits): number {
    let at = 0;
    for (let count = 0; count < MAX_INSTRUCTIONS && at < bytes.length; count++) {
      const decoded = decode(bytes, modeBits, at);
      if (typeof decoded === 'string') break;
      this.#next = this.#writer.write(this.#next, decoded, at, modeBits);
      at += decoded.lengthBytes;
      if (endsStretch(decoded)) break;
    }
    return at;
  }

  #keep(key: number, made: NewStretch, bytes: Uint8Array, lengthBytes = bytes.length): Stretch {
    const stretch = { ...made, bytes };
    this.#next = this.#writer.end(this.#next, this.#fallThrough, lengthBytes);
    this.#stretches.set(key, stretch);
    return stretch;
  }

  /** Makes room: all records are decoded again when they are needed. */
  #clear(): void {
    this.#stretches.clear();
    this.#next = this.#area.records;
    this.forgetAddresses('all');
  }

  #generation(name: 'localGeneration' | 'globalGeneration'): number {
    return this.#memory.view.getUint32(this.#area.state + offsetOf(name), true);
  }

  #setGeneration(name: 'localGeneration' | 'globalGeneration', value: number): void {
    this.#memory.view.setUint32(this.#area.state + offsetOf(name), value, true);
  }

  #advance(name: 'localGeneration' | 'globalGeneration'): void {
    this.#setGeneration(name, this.#generation(name) + GENERATION_STEP);
  }
}

function endsStretch({ instruction: { mnemonic } }: Decoded): boolean {
  return ENDS_STRETCH.has(mnemonic);
}
