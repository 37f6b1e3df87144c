/**
 * Opens a kernel file and chooses how it is entered. A bzImage's vmlinux is unpacked on the host, once, and kept:
 * entering it by PVH saves the guest the decompression on every start.
 */

import { UserError } from '@vireo/errors';
import { ArraySource, FileSource, readUpTo } from './byte-source.ts';
import type { SetupHeader } from './bzimage.ts';
import { compactElf } from './compact-elf.ts';
import { DecodeError } from './decode-error.ts';
import { FileIndex } from './file-index.ts';
import { identifyKernel, isLinux64, type KernelImage } from './identify.ts';
import type { LinuxKernel } from './load-linux.ts';
import { unpackPayload } from './payload.ts';
import { sha256Hash, VmlinuxStore } from './vmlinux-store.ts';

/** No bzImage is larger, and all of it is read to unpack it. */
const MAX_BZIMAGE_BYTES = 256 << 20;

export interface OpenKernelOptions {
  /** 'auto' prefers PVH. */
  readonly protocol?: 'auto' | 'pvh' | 'linux64';
  /** Where unpacked kernels are kept; made when needed. A cache that cannot be written is done without. */
  readonly cacheDirectory: string;
}

/** A kernel ready to be loaded, as often as its machine is reset. */
export interface OpenedKernel extends LinuxKernel {
  /** 'none': nothing was packed, or stays so; 'cached': done before; 'now': done just now, and cached if possible. */
  readonly unpacking: 'none' | 'cached' | 'now';
  /** Releases the file. */
  close(): void;
}

type Source = FileSource | ArraySource;

/** @throws UserError when the file is no kernel, damaged, or cannot be entered as `protocol` says. */
export function openKernel(path: string, options: OpenKernelOptions): OpenedKernel {
  const source = new FileSource(path);
  try {
    return chooseEntry(source, identifyKernel(source), options);
  } catch (error) {
    source.close();
    throw error;
  }
}

function chooseEntry(source: FileSource, image: KernelImage, options: OpenKernelOptions): OpenedKernel {
  const protocol = options.protocol ?? 'auto';
  if (protocol === 'linux64') return opened(source.name, source, asLinux64(source, image), 'none');
  if (image.kind === 'bzimage') {
    const unpacked = openUnpacked(source, image.header, options.cacheDirectory);
    if (unpacked !== undefined) {
      source.close();
      return unpacked;
    }
  }
  if (protocol === 'pvh' && image.kind !== 'pvh-elf') {
    throw new UserError(
      'kernel-no-pvh',
      `${source.name} has no PVH entry that can be reached from here`,
      'Use a kernel built with CONFIG_PVH=y, or another boot protocol.',
    );
  }
  return opened(source.name, source, image, 'none');
}

function asLinux64(source: FileSource, image: KernelImage): KernelImage {
  if (image.kind !== 'pvh-elf') return image;
  if (isLinux64(image.elf)) return { kind: 'elf', elf: image.elf };
  throw new UserError(
    'kernel-no-64-bit-entry',
    `${source.name} is no Linux kernel with a 64-bit entry`,
    'Boot it by PVH.',
  );
}

/** The kernel inside, if it has a PVH entry and its compression is known here; else undefined. */
function openUnpacked(
  source: FileSource,
  header: SetupHeader,
  cacheDirectory: string,
): OpenedKernel | undefined {
  const index = new FileIndex(cacheDirectory);
  const store = new VmlinuxStore(cacheDirectory);
  const known = index.find(source.identity);
  if (known?.kind === 'kernel') {
    if (known.vmlinux === null) return undefined;
    const cached = openStored(source.name, store.open(known.sha256), known.vmlinux);
    if (cached !== undefined) return cached;
  }
  const bytes = readWhole(source);
  const sha256 = sha256Hash().update(bytes).digest('hex');
  const kernel =
    openStored(source.name, store.openVerified(sha256)) ?? unpack(source.name, bytes, header, sha256, store);
  const vmlinux = kernel?.source instanceof FileSource ? kernel.source.identity.key : null;
  // An unpacked kernel that could not be stored is unpacked again next time.
  if (kernel === undefined || vmlinux !== null) {
    index.record(source.identity, { kind: 'kernel', sha256, vmlinux });
  }
  return kernel;
}

/** A cache entry that is what it should be: by its identity where one is given. */
function openStored(
  name: string,
  source: FileSource | undefined,
  identity?: string,
): OpenedKernel | undefined {
  if (source === undefined) return undefined;
  if (identity === undefined || source.identity.key === identity) {
    const image = tryIdentify(source);
    if (image?.kind === 'pvh-elf') return opened(name, source, image, 'cached');
  }
  source.close();
  return undefined;
}

function unpack(
  name: string,
  bytes: Uint8Array,
  header: SetupHeader,
  sha256: string,
  store: VmlinuxStore,
): OpenedKernel | undefined {
  const vmlinux = unpackBytes(name, bytes, header);
  if (vmlinux === undefined) return undefined;
  const source = new ArraySource(vmlinux, name);
  const image = tryIdentify(source);
  if (image?.kind !== 'pvh-elf') return undefined;
  const stored = store.write(sha256, compactElf(vmlinux, image.elf, image.pvhEntryGpa));
  const storedImage = stored && tryIdentify(stored);
  return stored && storedImage
    ? opened(name, stored, storedImage, 'now')
    : opened(name, source, image, 'now');
}

function unpackBytes(name: string, bytes: Uint8Array, header: SetupHeader): Uint8Array | undefined {
  const { payloadOffset, payloadBytes } = header;
  try {
    return unpackPayload(bytes.subarray(payloadOffset, payloadOffset + payloadBytes), header.initSizeBytes);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    if (error.reason === 'unsupported') return undefined;
    throw new UserError(
      'kernel-damaged',
      `${name} cannot be unpacked: ${error.message}`,
      'Copy or download the kernel again.',
      { cause: error },
    );
  }
}

function readWhole(source: FileSource): Uint8Array {
  if (source.sizeBytes > MAX_BZIMAGE_BYTES) {
    throw new UserError(
      'kernel-too-large',
      `${source.name} has ${source.sizeBytes} bytes, more than a kernel has`,
      'Name a bzImage (vmlinuz) or a vmlinux.',
    );
  }
  return readUpTo(source, 0, source.sizeBytes);
}

/** What is inside need not be a kernel we know: then the bzImage is booted as it is. */
function tryIdentify(source: Source): KernelImage | undefined {
  try {
    return identifyKernel(source);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

function opened(
  name: string,
  source: Source,
  image: KernelImage,
  unpacking: OpenedKernel['unpacking'],
): OpenedKernel {
  const close = () => {
    if (source instanceof FileSource) source.close();
  };
  return { name, source, image, unpacking, close };
}
