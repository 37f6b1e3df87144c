/** Which instructions are vector instructions. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import type { Feature } from '@vireo/x86-isa';
import { isX87 } from './x87-features.ts';

const FEATURES: ReadonlySet<Feature> = new Set<Feature>([
  ...(['MMX', 'SSE', 'SSE2', 'SSE3', 'SSSE3', 'SSE4.1', 'SSE4.2'] as const),
  ...(['AES', 'PCLMULQDQ', 'SHA'] as const),
]);
/** CRC32 has the feature SSE4.2, too, and general registers. */
const GENERAL = 'CRC32';

export function isVector(variant: Variant): boolean {
  const { feature, mnemonic } = variant.instruction;
  return feature !== undefined && FEATURES.has(feature) && mnemonic !== GENERAL && !isX87(variant);
}
