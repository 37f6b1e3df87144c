/** Memory and what the kernel can do with it: huge pages, transparent ones, KSM (Linux admin-guide/mm). */
import { parseMeminfo } from '@vireo/linux/host';
import { formatSize } from '../size.ts';
import type { HostFiles } from './host-files.ts';
import { type Check, ok, warn } from './report.ts';

/** Less than this available, and the default guest will push others out. */
const COMFORTABLE_BYTES = 1024 ** 3;

export function checkMemory(files: HostFiles): Check {
  const fields = parseMeminfo(files.read('/proc/meminfo') ?? '');
  const total = fields.get('MemTotal') ?? 0;
  const available = fields.get('MemAvailable') ?? 0;
  const found = `${formatSize(total)}, ${formatSize(available)} available`;
  if (available >= COMFORTABLE_BYTES) return ok('memory', 'memory', found);
  return warn('memory', 'memory', found, 'Use small guests (--memory 256M), or end other programs.');
}

export function checkHugePages(files: HostFiles): Check {
  const pools = files
    .list('/sys/kernel/mm/hugepages')
    .flatMap((name) => {
      const kilobytes = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? Number.NaN);
      if (Number.isNaN(kilobytes)) return [];
      const total = files.readNumber(`/sys/kernel/mm/hugepages/${name}/nr_hugepages`) ?? 0;
      const free = files.readNumber(`/sys/kernel/mm/hugepages/${name}/free_hugepages`) ?? 0;
      return [{ sizeBytes: kilobytes * 1024, total, free }];
    })
    .sort((a, b) => a.sizeBytes - b.sizeBytes);
  const title = 'huge pages';
  if (pools.length === 0)
    return warn(
      'huge-pages',
      title,
      'the kernel has none',
      'Guests use ordinary pages; a kernel with CONFIG_HUGETLBFS has them.',
    );
  const found = pools.map(
    ({ sizeBytes, total, free }) => `${formatSize(sizeBytes)}: ${free} of ${total} free`,
  );
  return ok('huge-pages', title, found.join(', '));
}

/** Guest memory is anonymous and asks for huge pages (MADV_HUGEPAGE). */
export function checkTransparentHugePages(files: HostFiles): Check {
  const directory = '/sys/kernel/mm/transparent_hugepage';
  const mode = chosen(files.read(`${directory}/enabled`));
  const title = 'transparent huge pages';
  if (mode === undefined)
    return warn(
      'transparent-huge-pages',
      title,
      'the kernel has none',
      'A kernel with CONFIG_TRANSPARENT_HUGEPAGE has them.',
    );
  if (mode !== 'never') return ok('transparent-huge-pages', title, mode);
  return warn(
    'transparent-huge-pages',
    title,
    mode,
    `Guests that touch much memory run faster with: echo madvise | sudo tee ${directory}/enabled.`,
  );
}

export function checkKsm(files: HostFiles): Check {
  const run = files.readNumber('/sys/kernel/mm/ksm/run');
  if (run === undefined)
    return warn(
      'ksm',
      'KSM',
      'the kernel has none',
      'Equal pages of guests are not shared; a kernel with CONFIG_KSM does it.',
    );
  if (run !== 1)
    return ok('ksm', 'KSM', 'available, off (echo 1 | sudo tee /sys/kernel/mm/ksm/run turns it on)');
  const sharing = files.readNumber('/sys/kernel/mm/ksm/pages_sharing') ?? 0;
  return ok('ksm', 'KSM', `on, ${sharing} pages shared`);
}

/** sysfs shows a choice as `always [madvise] never`. */
export function chosen(text: string | undefined): string | undefined {
  return text === undefined ? undefined : /\[([^\]\s]+)\]/.exec(text)?.[1];
}
