/** Instructions that ask what a selector may be used for, and answer in ZF (Intel SDM Vol. 3A §5.10 "Pointer Validation"). */
import type { Segment } from '@vireo/hypervisor';
import { findDescriptor, isCode, isConforming, segmentOf } from './descriptor.ts';
import { requireProtectedMode } from './privilege-checks.ts';
import { operatingMode, type Processor, privilegeLevel, RFLAGS } from './processor.ts';
import type { Operands, Operation, Operations, SystemProcessor } from './system-processor.ts';

const READABLE_OR_WRITABLE = 2;
/** The second doubleword without base and limit. */
const ACCESS_RIGHTS = 0xf0_ff00n;

/** Types of system descriptors that LAR and LSL know: TSSs, LDTs, and LAR gates, too. */
const RIGHTS_TYPES: readonly number[] = [1, 2, 3, 4, 5, 9, 11, 12];
const LIMIT_TYPES: readonly number[] = [1, 2, 3, 9, 11];
/** In IA-32e mode there are neither those of 16 bits nor task gates. */
const LONG_MODE_TYPES: readonly number[] = [2, 9, 11, 12];

interface Found {
  readonly descriptor: bigint;
  readonly segment: Segment;
}

/** The selector's segment, if its privilege allows to ask. @throws GuestFault when the table cannot be read */
function find(processor: Processor, selector: number): Found | undefined {
  const descriptor = findDescriptor(processor, selector);
  if (descriptor === undefined) return undefined;
  const segment = segmentOf(descriptor, selector);
  const isFree = isCode(segment) && isConforming(segment);
  const privilege = Math.max(privilegeLevel(processor), selector & 3);
  return isFree || privilege <= segment.dpl ? { descriptor, segment } : undefined;
}

function setZeroFlag({ general }: Processor, isSet: boolean): void {
  general.rflags = isSet ? general.rflags | RFLAGS.ZF : general.rflags & ~RFLAGS.ZF;
}

/** Intel SDM Vol. 2D "VERR/VERW—Verify a Segment for Reading or Writing". */
const verify =
  (isSuitable: (segment: Segment) => boolean): Operation =>
  (processor, { a }) => {
    requireProtectedMode(processor);
    const found = find(processor, Number(a & 0xffffn));
    setZeroFlag(processor, found !== undefined && isSuitable(found.segment));
  };

const hasBit = ({ type }: Segment): boolean => (type & READABLE_OR_WRITABLE) !== 0;
const isReadable = (segment: Segment) => segment.nonSystem && (!isCode(segment) || hasBit(segment));
const isWritable = (segment: Segment) => segment.nonSystem && !isCode(segment) && hasBit(segment);

function describe(
  processor: SystemProcessor,
  { a, b }: Operands,
  types: readonly number[],
  answer: (found: Found) => bigint,
): bigint {
  requireProtectedMode(processor);
  const found = find(processor, Number(a & 0xffffn));
  const isKnown = (type: number) =>
    types.includes(type) && (operatingMode(processor) !== 'long' || LONG_MODE_TYPES.includes(type));
  const isValid = found !== undefined && (found.segment.nonSystem || isKnown(found.segment.type));
  setZeroFlag(processor, isValid);
  return isValid ? answer(found) : b;
}

/** Intel SDM Vol. 2A "LAR—Load Access Rights Byte". */
const loadAccessRights: Operation = (processor, operands) =>
  describe(processor, operands, RIGHTS_TYPES, ({ descriptor }) => (descriptor >> 32n) & ACCESS_RIGHTS);

/** Intel SDM Vol. 2A "LSL—Load Segment Limit": in bytes, whatever the granularity. */
const loadSegmentLimit: Operation = (processor, operands) =>
  describe(processor, operands, LIMIT_TYPES, ({ segment }) => BigInt(segment.limit >>> 0));

/** Intel SDM Vol. 2A "ARPL—Adjust RPL Field of Segment Selector". */
const adjustPrivilege: Operation = (processor, { a, b }) => {
  requireProtectedMode(processor);
  const isLower = (a & 3n) < (b & 3n);
  setZeroFlag(processor, isLower);
  return isLower ? (a & ~3n) | (b & 3n) : a;
};

export const SEGMENT_QUERIES = {
  ...{ verifyRead: verify(isReadable), verifyWrite: verify(isWritable) },
  ...{ loadAccessRights, loadSegmentLimit, adjustPrivilege },
} satisfies Partial<Operations>;
