export type { MemoryBacking } from './backing.ts';
export { bitmapSizeBytes, DirtyLog, dirtyPages, PAGE_SIZE_BYTES } from './dirty-log.ts';
export { GuestAddressError, GuestMemory, type MemoryRegion } from './guest-memory.ts';
