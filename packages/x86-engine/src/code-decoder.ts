/**
 * Decodes guest code into records, a stretch at a time: from an address that was jumped to up to the next instruction
 * that always jumps, the end of the page, or a limit.
 */
import { type Decoded, decode, type ModeBits } from '@vireo/x86-isa';
import { CODE_TABLE_ENTRY, CODE_TABLE_ENTRY_BYTES, codeTablePlace, emptyCodeTable } from './code-table.ts';
import type { RecordWriter } from './interpreter/record-writer.ts';
import { RECORD_BYTES } from './record.ts';

/** So that a stretch is decoded soon, and little of it in vain. */
const MAX_INSTRUCTIONS = 64;
const PAGE_BYTES = 4096;
const ALWAYS_JUMPS = new Set(['JMP', 'RET']);

export interface DecoderLayout {
  readonly memory: ArrayBufferLike;
  readonly codeTable: number;
  readonly records: number;
  readonly recordsBytes: number;
  readonly fallThroughHandler: number;
}

/** What is at an address: bytes up to the end of its page, and 14 more where they can be fetched. */
export type FetchCode = (gva: bigint) => Uint8Array | undefined;

export class CodeDecoder {
  readonly #layout: DecoderLayout;
  readonly #writer: RecordWriter;
  readonly #fetch: FetchCode;
  readonly #view: DataView;
  #next: number;

  constructor(layout: DecoderLayout, writer: RecordWriter, fetch: FetchCode) {
    this.#layout = layout;
    this.#writer = writer;
    this.#fetch = fetch;
    this.#view = new DataView(layout.memory);
    this.#next = layout.records;
    this.clear();
  }

  /** Forgets all decoded code. */
  clear(): void {
    emptyCodeTable(this.#view, this.#layout.codeTable);
    this.#next = this.#layout.records;
  }

  /** The record of the instruction at an address; undefined when none can be fetched or decoded there. */
  find(rip: bigint, modeBits: ModeBits): number | undefined {
    const entry = this.#layout.codeTable + codeTablePlace(rip) * CODE_TABLE_ENTRY_BYTES;
    if (this.#view.getBigUint64(entry + CODE_TABLE_ENTRY.rip, true) === rip)
      return this.#view.getUint32(entry + CODE_TABLE_ENTRY.record, true);
    const record = this.#decodeStretch(rip, modeBits);
    if (record === undefined) return undefined;
    this.#view.setBigUint64(entry + CODE_TABLE_ENTRY.rip, rip, true);
    this.#view.setUint32(entry + CODE_TABLE_ENTRY.record, record, true);
    return record;
  }

  #decodeStretch(rip: bigint, modeBits: ModeBits): number | undefined {
    const bytes = this.#fetch(rip);
    if (bytes === undefined) return undefined;
    const { records, recordsBytes, fallThroughHandler } = this.#layout;
    if (this.#next + (MAX_INSTRUCTIONS + 1) * RECORD_BYTES > records + recordsBytes) this.clear();
    const first = this.#next;
    let at = 0;
    const pageBytes = PAGE_BYTES - Number(rip & BigInt(PAGE_BYTES - 1));
    for (let count = 0; count < MAX_INSTRUCTIONS && at < pageBytes; count++) {
      const decoded = decode(bytes, modeBits, at);
      if (typeof decoded === 'string') break;
      this.#next = this.#writer.write(this.#next, decoded, at, modeBits);
      at += decoded.lengthBytes;
      if (alwaysJumps(decoded)) break;
    }
    if (at === 0) return undefined;
    this.#next = this.#writer.end(this.#next, fallThroughHandler, at);
    return first;
  }
}

function alwaysJumps({ instruction: { mnemonic } }: Decoded): boolean {
  return ALWAYS_JUMPS.has(mnemonic);
}
