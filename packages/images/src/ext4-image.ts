/** Makes read-only ext4 file systems from directories with mke2fs(8) -d, which needs no root and no mount. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { requireProgramFrom } from './packaged-program.ts';

const BLOCK_BYTES = 4096;
const INODE_BYTES = 256;

/** Writes an image that holds the files of `directory`, with little room besides: it is for mounting read-only. */
export async function writeExt4Image(directory: string, image: string, label: string): Promise<void> {
  const { blocks, inodes } = measure(directory);
  const inodeCount = inodes + 32;
  const metadataBlocks = Math.ceil((inodeCount * INODE_BYTES) / BLOCK_BYTES);
  // An eighth for bitmaps, extents and directories that outgrow a block; mke2fs leaves holes for what is unused.
  const sizeBlocks = Math.ceil((blocks + metadataBlocks) * 1.125) + 256;
  const features = '^has_journal,^resize_inode,^metadata_csum,^64bit';
  await requireProgramFrom('e2fsprogs', 'mke2fs', [
    ...['-q', '-F', '-t', 'ext4', '-b', `${BLOCK_BYTES}`, '-I', `${INODE_BYTES}`, '-N', `${inodeCount}`],
    ...['-m', '0', '-O', features, '-L', label, '-E', 'root_owner=0:0', '-d', directory],
    ...[image, `${sizeBlocks}`],
  ]);
}

function measure(directory: string): { blocks: number; inodes: number } {
  let blocks = 1;
  let inodes = 1;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      const inner = measure(path);
      blocks += inner.blocks;
      inodes += inner.inodes;
    } else {
      blocks += Math.ceil(lstatSync(path).size / BLOCK_BYTES);
      inodes += 1;
    }
  }
  return { blocks, inodes };
}
