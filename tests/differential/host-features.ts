/** What the host's processor has of the table's instructions, and how wide its addresses are. */
import { readFileSync } from 'node:fs';
import type { Feature } from '@vireo/x86-isa';

/** The names that /proc/cpuinfo has for them. */
const CPUINFO_NAMES: Partial<Record<Feature, string>> = {
  ...{ CMOV: 'cmov', CX8: 'cx8', CX16: 'cx16', POPCNT: 'popcnt', LZCNT: 'abm', MOVBE: 'movbe', ADX: 'adx' },
  ...{ BMI1: 'bmi1', BMI2: 'bmi2', RDRAND: 'rdrand', RDSEED: 'rdseed' },
  ...{
    MMX: 'mmx',
    SSE: 'sse',
    SSE2: 'sse2',
    SSE3: 'pni',
    SSSE3: 'ssse3',
    'SSE4.1': 'sse4_1',
    'SSE4.2': 'sse4_2',
  },
  ...{ AES: 'aes', PCLMULQDQ: 'pclmulqdq', SHA: 'sha_ni' },
  ...{ FXSR: 'fxsr', XSAVE: 'xsave', XSAVEOPT: 'xsaveopt', XSAVEC: 'xsavec' },
};

const CPUINFO = readFileSync('/proc/cpuinfo', 'utf8');
const HOST: ReadonlySet<string> = new Set(/^flags\s*: (.*)$/m.exec(CPUINFO)?.[1]?.split(' ') ?? []);

/** 57 where the kernel uses 5-level paging. */
export const LINEAR_ADDRESS_BITS = Number(/(\d+) bits virtual/.exec(CPUINFO)?.[1] ?? 48);

/** Why the host cannot run it; undefined if it can. */
export function missingOnHost(feature: Feature | undefined): string | undefined {
  const name = feature && CPUINFO_NAMES[feature];
  return name === undefined || HOST.has(name) ? undefined : `this processor has no ${feature}`;
}
