/** Which accelerator runs the VM: found out by running, not by guessing. */
import { UserError } from '@vireo/errors';
import type { Hypervisor } from '@vireo/hypervisor';
import { openKvm, type ProbeResult, probe } from '@vireo/kvm';
import { HostError } from '@vireo/linux';
import type { VmConfig } from './config.ts';

const DOCTOR = 'Run `vireo doctor` for what this host lacks.';

/** Why 'auto' is not KVM: told to whoever started the VM. */
export type OnNotice = (line: string) => void;

export interface Accelerators {
  readonly kvm: () => Hypervisor;
  readonly engine: () => Promise<Hypervisor>;
}

const ACCELERATORS: Accelerators = {
  kvm: openKvm,
  // Loaded only where it is used.
  engine: async () => await (await import('./engine.ts')).openEngine(),
};

/**
 * Opens the accelerator that was asked for. 'auto' takes KVM only if a throw-away VM shows that it can run an unmodified
 * kernel, else Vireo's own engine; 'kvm' takes it at its word.
 * @throws UserError
 */
export async function openAccelerator(
  accelerator: VmConfig['accelerator'],
  onNotice: OnNotice = () => {},
  open: Accelerators = ACCELERATORS,
): Promise<Hypervisor> {
  if (accelerator === 'wasm') return await open.engine();
  if (accelerator === 'kvm') return openKvmForUser(open.kvm);
  const reason = whyNotKvm(open.kvm);
  if (typeof reason !== 'string') return reason;
  onNotice(`${reason}, so Vireo's own x86-64 engine runs the guest, more slowly`);
  return await open.engine();
}

/** KVM, or why it cannot be used. */
function whyNotKvm(open: () => Hypervisor): Hypervisor | string {
  let hypervisor: Hypervisor;
  try {
    hypervisor = openKvmForUser(open);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  try {
    const result = probe(hypervisor);
    if (result.kind === 'able') return hypervisor;
    hypervisor.close();
    return `this host's KVM cannot run an unmodified kernel: it lacks ${result.missing.join(', ')}`;
  } catch (error) {
    hypervisor.close();
    throw error;
  }
}

function openKvmForUser(open: () => Hypervisor): Hypervisor {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    const options = { cause: error };
    switch (error.code) {
      case 'ENOENT':
      case 'ENODEV':
      case 'ENXIO':
        throw new UserError('kvm-missing', 'this host offers no KVM: there is no /dev/kvm', DOCTOR, options);
      case 'EACCES':
      case 'EPERM':
        throw new UserError('kvm-not-permitted', 'you may not use /dev/kvm', DOCTOR, options);
      default:
        throw error;
    }
  }
}

/** Opens the engine and probes it. @throws Error when it was not built */
export async function probeEngine(open: Accelerators['engine'] = ACCELERATORS.engine): Promise<ProbeResult> {
  const hypervisor = await open();
  try {
    return probe(hypervisor);
  } finally {
    hypervisor.close();
  }
}

/** Opens KVM and probes it. @throws HostError or UserError when it cannot be opened. */
export function probeKvm(open: () => Hypervisor = openKvm): ProbeResult {
  const hypervisor = openKvmForUser(open);
  try {
    return probe(hypervisor);
  } finally {
    hypervisor.close();
  }
}
