/** What drops translations and caches (Intel SDM Vol. 3A §4.10.4.1 "Operations that Invalidate TLBs and Paging-Structure Caches"). Nothing is cached for a PCID that is not the current one. */
import { CR4 } from './cr4-bits.ts';
import { generalProtection } from './guest-fault.ts';
import { requireSupervisor } from './privilege-checks.ts';
import { accessPrivilege, isCanonical } from './processor.ts';
import type { Operation, Operations } from './system-processor.ts';

const PCID = 0xfffn;

/** Intel SDM Vol. 2A "INVPCID—Invalidate Process-Context Identifier": its types. */
const TYPE = { address: 0n, singleContext: 1n, allWithGlobal: 2n, allContexts: 3n } as const;

/** Intel SDM Vol. 2A "INVLPG—Invalidate TLB Entries": an address that is not canonical has no translation. */
const invalidatePage: Operation = (processor, { a }) => {
  requireSupervisor(processor);
  if (isCanonical(a)) processor.invalidatePage(a);
};

const invalidateProcessContext: Operation = (processor, { a, b }) => {
  requireSupervisor(processor);
  if (b > TYPE.allContexts) throw generalProtection();
  const { memory, special } = processor;
  const privilege = accessPrivilege(processor);
  const descriptor = memory.read(a, 8, privilege);
  const gva = memory.read(BigInt.asUintN(64, a + 8n), 8, privilege);
  const namesOne = b === TYPE.address || b === TYPE.singleContext;
  const isWrongPcid = namesOne && (special.cr4 & CR4.PCIDE) === 0n && descriptor !== 0n;
  if ((descriptor & ~PCID) !== 0n || isWrongPcid) throw generalProtection();
  if (b === TYPE.address) {
    if (!isCanonical(gva)) throw generalProtection();
    processor.invalidatePage(gva);
  } else processor.invalidateTranslations(b === TYPE.allWithGlobal ? 'all' : 'non-global');
};

/** Intel SDM Vol. 2D "WBINVD—Write Back and Invalidate Cache", Vol. 2A "INVD—Invalidate Internal Caches": memory is always coherent. */
const invalidateCaches: Operation = (processor) => {
  requireSupervisor(processor);
};

export const TRANSLATIONS = {
  ...{ invalidatePage, invalidateProcessContext, invalidateCaches },
} satisfies Partial<Operations>;
