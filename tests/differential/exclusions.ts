/** What of the table is not compared with silicon, by rule, and why. */
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { missingOnHost } from './host-features.ts';

/** Tests beside the engine's sources check their bounds. */
const APPROXIMATE = /^R(CP|SQRT)(SS|PS)$/;
const RANDOM = /^RD(RAND|SEED)$/;

/** One reason for each kind of exclusion: reports are by reason. @returns undefined for what must be exercised */
export function whyLeftOut(variant: Variant, hiddenToo = false): string | undefined {
  const { encoding, instruction, operandBits, rm } = variant;
  const { mnemonic, feature } = instruction;
  if (encoding.modes === 'not-64') return '64-bit mode has no such encoding';
  if (rm === 'memory16') return '64-bit mode has no 16-bit addresses';
  if (needsSystem(variant)) return 'needs privilege, or shows what the kernel made of the system';
  if (RANDOM.test(mnemonic)) return 'random numbers are not the same twice';
  if (APPROXIMATE.test(mnemonic)) return 'vendors differ in approximations';
  // Intel's processors ignore the prefix, as the engine does; AMD's cut RIP to 16 bits.
  if (encoding.forces64 && operandBits === 16)
    return 'vendors differ in near branches with an operand size prefix';
  return hiddenToo ? undefined : missingOnHost(feature);
}

/**
 * What a process may not do, or what it would see the host's kernel in: rows that the table marks `system`, and those
 * with control, debug or segment registers among their operands.
 */
export function needsSystem({ instruction, encoding }: Pick<Variant, 'instruction' | 'encoding'>): boolean {
  return (
    instruction.system === true || encoding.operands.some(({ registers }) => SYSTEM_REGISTERS.has(registers))
  );
}

const SYSTEM_REGISTERS: ReadonlySet<string> = new Set(['control', 'debug', 'segment']);
