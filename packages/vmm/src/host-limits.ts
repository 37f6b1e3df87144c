/** What a VM may ask of this host at all, checked before anything is made. */
import { UserError } from '@vireo/errors';
import type { Hypervisor } from '@vireo/hypervisor';
import { hostMemory } from '@vireo/linux/host';
import type { VmConfig } from './config.ts';
import { PCI_HOLE_GPA, ramEndGpa } from './machine/layout.ts';

/** APIC ids and the thread of each vCPU are made for this many. */
export const MAX_CPUS = 64;
const MIB = 2 ** 20;

/** @throws UserError */
export function checkHost({ cpus, memoryBytes }: VmConfig): void {
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > MAX_CPUS) {
    throw new UserError('bad-cpus', `a VM has 1 to ${MAX_CPUS} vCPUs, not ${cpus}`, 'Change --cpus.');
  }
  const { totalBytes, swapFreeBytes } = hostMemory();
  const limitBytes = totalBytes + swapFreeBytes;
  if (memoryBytes > limitBytes) {
    const has = `${Math.floor(limitBytes / MIB)} MiB`;
    throw new UserError(
      'too-much-memory',
      `${memoryBytes / MIB} MiB of guest memory is more than this host has (${has})`,
      `Use --memory ${Math.floor(limitBytes / MIB)}M or less.`,
    );
  }
}

/** @throws UserError when the guest's processor could not address all of its memory. */
export function checkAddressWidth(memoryBytes: number, addressBits: number): void {
  if (ramEndGpa(memoryBytes) <= 2 ** addressBits) return;
  const limitMib = (2 ** addressBits - ramEndGpa(0) + PCI_HOLE_GPA) / MIB;
  throw new UserError(
    'memory-beyond-addresses',
    `this host's processors address ${addressBits} bits of guest memory, too few for ${memoryBytes / MIB} MiB`,
    `Use --memory ${limitMib}M or less.`,
  );
}

/** @throws UserError when the accelerator has fewer vCPUs or less memory to give. */
export function checkAcceleratorLimits(
  { cpus, memoryBytes }: VmConfig,
  { name, capabilities }: Pick<Hypervisor, 'name' | 'capabilities'>,
): void {
  const { maxVcpus, maxMemoryBytes } = capabilities;
  const whose = name === 'wasm' ? "Vireo's own engine" : "this host's accelerator";
  if (cpus > maxVcpus) {
    throw new UserError(
      'too-many-cpus',
      `${whose} gives a VM at most ${maxVcpus} vCPUs, not ${cpus}`,
      `Use --cpus ${maxVcpus} or less.`,
    );
  }
  if (maxMemoryBytes === null || memoryBytes <= maxMemoryBytes) return;
  throw new UserError(
    'too-much-memory',
    `${whose} has room for at most ${maxMemoryBytes / MIB} MiB of guest memory, not ${memoryBytes / MIB} MiB`,
    `Use --memory ${maxMemoryBytes / MIB}M or less.`,
  );
}
