/** Which instructions are vector instructions, and which of them the host's processor has. */
import { readFileSync } from 'node:fs';
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import type { Feature } from '@vireo/x86-isa';

/** The names that /proc/cpuinfo has for them. */
const CPUINFO_NAMES: Partial<Record<Feature, string>> = {
  ...{ MMX: 'mmx', SSE: 'sse', SSE2: 'sse2', SSE3: 'pni', SSSE3: 'ssse3' },
  ...{ 'SSE4.1': 'sse4_1', AES: 'aes', PCLMULQDQ: 'pclmulqdq', SHA: 'sha_ni' },
};
/** CRC32 has this feature, too, and general registers. */
const SSE42_GENERAL = 'CRC32';

export function isVector({ instruction: { feature, mnemonic } }: Variant): boolean {
  if (feature === 'SSE4.2') return mnemonic !== SSE42_GENERAL;
  return feature !== undefined && feature in CPUINFO_NAMES;
}

/** Why the host cannot run it; undefined if it can. */
export function missingOnHost(feature: Feature | undefined): string | undefined {
  if (feature === undefined) return undefined;
  const name = feature === 'SSE4.2' ? 'sse4_2' : CPUINFO_NAMES[feature];
  return name === undefined || HOST.has(name) ? undefined : `this processor has no ${feature}`;
}

const HOST: ReadonlySet<string> = new Set(
  /^flags\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? [],
);
