/** Which accelerator runs the VM: found out by running, not by guessing. */
import { UserError } from '@vireo/errors';
import type { Hypervisor } from '@vireo/hypervisor';
import { openKvm, type ProbeResult, probe } from '@vireo/kvm';
import { HostError } from '@vireo/linux';
import type { VmConfig } from './config.ts';

const DOCTOR = 'Run `vireo doctor` for what this host lacks.';

/**
 * Opens the accelerator that was asked for. 'auto' takes KVM only if a throw-away VM shows that it can run an
 * unmodified kernel; 'kvm' takes it at its word.
 * @throws UserError
 */
export function openAccelerator(
  accelerator: VmConfig['accelerator'],
  open: () => Hypervisor = openKvm,
): Hypervisor {
  if (accelerator === 'wasm') {
    throw new UserError(
      'accelerator-not-available',
      "this version of Vireo has no x86-64 engine of its own yet: 'wasm' is not available",
      'Use --accel kvm on a host with KVM.',
    );
  }
  const hypervisor = openKvmForUser(open);
  if (accelerator === 'kvm') return hypervisor;
  try {
    const result = probe(hypervisor);
    if (result.kind === 'able') return hypervisor;
    throw new UserError(
      'kvm-unable',
      `this host's KVM cannot run an unmodified kernel: it lacks ${result.missing.join(', ')}`,
      `Use a host whose processor offers VMX or SVM to it. ${DOCTOR}`,
    );
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

/** Opens KVM and probes it. @throws HostError or UserError when it cannot be opened. */
export function probeKvm(open: () => Hypervisor = openKvm): ProbeResult {
  const hypervisor = openKvmForUser(open);
  try {
    return probe(hypervisor);
  } finally {
    hypervisor.close();
  }
}
