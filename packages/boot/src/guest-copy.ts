/**
 * Fills guest memory from a file without a buffer in between, across the seams of neighbouring memory regions (one
 * a NUMA node, for instance).
 */
import { GuestAddressError, type GuestMemory, type MemoryRegion } from '@vireo/guest-memory';
import type { ByteSource } from './byte-source.ts';

/** Reads `[offset, offset + lengthBytes)` of the source to `gpa`. */
export function readIntoGuest(
  memory: GuestMemory,
  source: ByteSource,
  offset: number,
  gpa: number,
  lengthBytes: number,
): void {
  for (const piece of pieces(memory, gpa, lengthBytes)) {
    source.read(memory.view(piece.gpa, piece.lengthBytes), offset + piece.gpa - gpa);
    memory.dirtyLog?.mark(piece.gpa, piece.lengthBytes);
  }
}

export function zeroGuest(memory: GuestMemory, gpa: number, lengthBytes: number): void {
  for (const piece of pieces(memory, gpa, lengthBytes)) memory.fill(piece.gpa, piece.lengthBytes, 0);
}

/** Whether every byte of the range is in guest memory, in one region or several. */
export function isBacked(memory: GuestMemory, gpa: number, lengthBytes: number): boolean {
  const end = gpa + lengthBytes;
  for (let at = gpa; at < end; ) {
    const region = regionAt(memory, at);
    if (region === undefined) return false;
    at = region.gpa + region.sizeBytes;
  }
  return true;
}

function* pieces(memory: GuestMemory, gpa: number, lengthBytes: number) {
  const end = gpa + lengthBytes;
  for (let at = gpa; at < end; ) {
    const region = regionAt(memory, at);
    if (region === undefined) throw new GuestAddressError(at, end - at);
    const pieceEnd = Math.min(end, region.gpa + region.sizeBytes);
    yield { gpa: at, lengthBytes: pieceEnd - at };
    at = pieceEnd;
  }
}

function regionAt(memory: GuestMemory, gpa: number): MemoryRegion | undefined {
  return memory.regions.find((region) => gpa >= region.gpa && gpa < region.gpa + region.sizeBytes);
}
