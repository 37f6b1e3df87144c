/** Names cache entries by what went into them. */
import { createHash } from 'node:crypto';

/** A short hexadecimal key of all parts, in order. */
export function contentKey(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  // The length first, so that no two lists of parts run together alike.
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest('hex').slice(0, 20);
}
