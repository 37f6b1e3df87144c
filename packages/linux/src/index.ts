/** `@vireo/linux`: typed Linux system calls. Importing it loads no native code; the first call does. */
export * from './epoll.ts';
export * from './eventfd.ts';
export * from './files.ts';
export * from './futex.ts';
export * from './host.ts';
export * from './host-error.ts';
export * from './ioctl.ts';
export { landlockAbi } from './landlock.ts';
export { addressOf, errno, type Pointer, viewMemory } from './libc.ts';
export { trimHeap } from './malloc.ts';
export * from './mapping.ts';
export * from './memory.ts';
export * from './memory-file.ts';
export * from './ptrace.ts';
export * from './signals.ts';
export * from './termios.ts';
export * from './threads.ts';
