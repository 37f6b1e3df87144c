/**
 * What is known of files without reading them again, by their identity: device, inode, size and times. So a start
 * with a kernel and an initrd seen before neither hashes nor checks them.
 */
import type { FileIdentity } from './byte-source.ts';
import { writeCacheFile } from './cache-file.ts';

// Not imported: see byte-source.ts.
const { readFileSync } = process.getBuiltinModule('node:fs');
const { join } = process.getBuiltinModule('node:path');

/** Changes when old records would mislead. */
const VERSION = 1;
const MAX_RECORDS = 256;
/**
 * A file changed again within one tick of its file system's clock has the same times as before: what changed so
 * lately is not recorded. Ticks are at most 10 ms, but whole seconds where times have no fractions.
 */
const SETTLED_AFTER_NS = 50_000_000n;
const SETTLED_AFTER_COARSE_NS = 2_000_000_000n;
const SECOND_NS = 1_000_000_000n;

export type FileRecord =
  /** `vmlinux`: the identity of its unpacked, cached form; null when it has none that could be booted. */
  | { readonly kind: 'kernel'; readonly sha256: string; readonly vmlinux: string | null }
  /** Read through, and whole. */
  | { readonly kind: 'initrd' };

export class FileIndex {
  readonly #directory: string;

  constructor(cacheDirectory: string) {
    this.#directory = join(cacheDirectory, 'files');
  }

  find(identity: FileIdentity): FileRecord | undefined {
    try {
      return parseRecord(JSON.parse(readFileSync(this.#path(identity), 'utf8')));
    } catch {
      return undefined;
    }
  }

  record(identity: FileIdentity, record: FileRecord): void {
    const ageNs = BigInt(Date.now()) * 1_000_000n - identity.ctimeNs;
    const settledNs = identity.ctimeNs % SECOND_NS === 0n ? SETTLED_AFTER_COARSE_NS : SETTLED_AFTER_NS;
    if (ageNs < settledNs) return;
    const bytes = new TextEncoder().encode(JSON.stringify({ version: VERSION, ...record }));
    writeCacheFile(this.#path(identity), [bytes], MAX_RECORDS);
  }

  #path(identity: FileIdentity): string {
    return join(this.#directory, identity.key);
  }
}

function parseRecord(value: unknown): FileRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('version' in value) || value.version !== VERSION || !('kind' in value)) return undefined;
  if (value.kind === 'initrd') return { kind: 'initrd' };
  if (value.kind !== 'kernel' || !('sha256' in value) || !('vmlinux' in value)) return undefined;
  const { sha256, vmlinux } = value;
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) return undefined;
  if (typeof vmlinux !== 'string' && vmlinux !== null) return undefined;
  return { kind: 'kernel', sha256, vmlinux };
}
