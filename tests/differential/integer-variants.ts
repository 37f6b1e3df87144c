/** The integer instructions that are compared, and why others are not. */
import { listVariants, type Variant } from '@vireo/x86-engine/interpreter/variants';
import { missingOnHost } from './host-features.ts';
import { isVector } from './vector-features.ts';
import { isX87 } from './x87-features.ts';

/**
 * 16-bit addresses, and what is not in 64-bit mode, cannot be encoded there. Of a near branch with an operand size prefix
 * there, Intel's processors ignore the prefix, as the engine does; AMD's cut RIP to 16 bits.
 */
function runsHere({ rm, encoding, operandBits }: Variant): boolean {
  return rm !== 'memory16' && encoding.modes !== 'not-64' && !(encoding.forces64 && operandBits === 16);
}

export function integerVariants(): Variant[] {
  return listVariants().filter(
    (variant) => !variant.instruction.system && runsHere(variant) && !isVector(variant) && !isX87(variant),
  );
}

/** @returns undefined for what can be compared */
export function whyNotCompared({ instruction: { mnemonic, feature } }: Variant): string | undefined {
  if (mnemonic === 'RDRAND' || mnemonic === 'RDSEED') return 'random numbers are not the same twice';
  return missingOnHost(feature);
}
