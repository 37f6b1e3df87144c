/** Which accelerator runs the VM: found out by running, not by guessing. */
import { UserError } from '@vireo/boot';
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
export function openAccelerator(accelerator: VmConfig['accelerator']): Hypervisor {
  if (accelerator === 'wasm') {
    throw new UserError(
      'accelerator-not-available',
      "this version of Vireo has no x86-64 engine of its own yet: 'wasm' is not available",
      'Use --accel kvm on a host with KVM.',
    );
  }
  const hypervisor = openKvmForUser();
  if (accelerator === 'kvm') return hypervisor;
  const result = probe(hypervisor);
  if (result.kind === 'able') return hypervisor;
  hypervisor.close();
  throw new UserError(
    'kvm-unable',
    `this host's KVM cannot run an unmodified kernel: it lacks ${result.missing.join(', ')}`,
    `Use a host whose processor offers VMX or SVM to it. ${DOCTOR}`,
  );
}

function openKvmForUser(): Hypervisor {
  try {
    return openKvm();
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
export function probeKvm(): ProbeResult {
  const hypervisor = openKvmForUser();
  try {
    return probe(hypervisor);
  } finally {
    hypervisor.close();
  }
}
