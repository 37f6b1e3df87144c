/** Kernels as the lab's QEMU and `vireo run` like them best: unpacked beforehand. */
import { FileSource, openKernel } from '@vireo/boot';
import { cacheDirectory } from '@vireo/images';

/** The path of a bzImage's vmlinux, entered by PVH and kept in the cache; the bzImage itself where there is none. */
export function unpackedKernel(bzImage: string): string {
  const kernel = openKernel(bzImage, { cacheDirectory: cacheDirectory() });
  try {
    return kernel.source instanceof FileSource ? kernel.source.name : bzImage;
  } finally {
    kernel.close();
  }
}
