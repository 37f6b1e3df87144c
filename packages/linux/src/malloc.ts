/** The C library's heap, which Node's native code and V8's compilers allocate from (malloc_trim(3)). */
import { lazily } from './libc.ts';

const mallocTrimCall = lazily<(pad: number) => number>('int malloc_trim(size_t)');

/** Gives whole pages that nothing is allocated in back to the system, those of other threads' arenas too. */
export function trimHeap(): void {
  mallocTrimCall(0);
}
