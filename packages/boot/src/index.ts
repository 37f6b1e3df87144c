export { ArraySource, type ByteSource, type FileIdentity, FileSource } from './byte-source.ts';
export type { SetupHeader } from './bzimage.ts';
export type { ElfImage, ElfSegment } from './elf.ts';
export { identifyKernel, identifyKernelFile, type KernelImage } from './identify.ts';
export { type InitialRegisters, initialRegisters, type KernelEntry } from './initial-registers.ts';
export { checkInitrd, type OpenInitrdOptions, openInitrd } from './initrd.ts';
export { type LinuxKernel, type LoadedKernel, type LoadLinuxOptions, loadLinux } from './load-linux.ts';
export type { GpaRange, MemoryKind, MemoryMapEntry } from './memory-map.ts';
export { type OpenedKernel, type OpenKernelOptions, openKernel } from './open-kernel.ts';
