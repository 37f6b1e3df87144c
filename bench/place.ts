/** Where a benchmark runs: here, as far as this host's KVM goes, or in the KVM lab. */
import { UserError } from '@vireo/errors';
import { probeKvm } from '@vireo/vmm';
import type { BenchOptions } from './options.ts';

export type HostKvm =
  | { readonly kind: 'able' }
  /** Integer instructions only. */
  | { readonly kind: 'limited'; readonly why: string }
  | { readonly kind: 'none'; readonly why: string };

export interface Plan {
  readonly here: 'everything' | 'tiny guests' | 'nothing';
  readonly lab: boolean;
  /** Why it is not simply here, in one line. */
  readonly remark?: string;
}

export function hostKvm(): HostKvm {
  try {
    const result = probeKvm();
    if (result.kind === 'able') return result;
    return {
      kind: 'limited',
      why: `this host's KVM runs integer code only (it lacks ${result.missing.join(', ')})`,
    };
  } catch (error) {
    if (error instanceof UserError) return { kind: 'none', why: error.message };
    throw error;
  }
}

/** @throws UserError when it was asked to run where it cannot. */
export function plan(
  { benchmark, on, accelerator }: Pick<BenchOptions, 'benchmark' | 'on' | 'accelerator'>,
  kvm: HostKvm,
): Plan {
  if (accelerator === 'wasm') return planWithoutKvm(on);
  if (on === 'lab') return { here: 'nothing', lab: true };
  if (kvm.kind === 'able') return { here: 'everything', lab: false };
  if (kvm.kind === 'none') {
    if (on === 'host')
      throw new UserError(
        'bench-no-kvm',
        `${kvm.why}.`,
        'Leave out --on host: the lab has a KVM of its own.',
      );
    return { here: 'nothing', lab: true, remark: `${kvm.why}; running in the KVM lab` };
  }
  if (benchmark === 'exits') return { here: 'everything', lab: false, remark: kvm.why };
  if (on === 'host') return { here: 'tiny guests', lab: false, remark: `${kvm.why}: tiny guests only` };
  return {
    here: 'tiny guests',
    lab: true,
    remark: `${kvm.why}: tiny guests here, everything in the KVM lab`,
  };
}

/** In the lab, an engine in software would run inside another one: that compares nothing. */
function planWithoutKvm(on: BenchOptions['on']): Plan {
  if (on !== 'lab') return { here: 'everything', lab: false };
  throw new UserError(
    'bench-usage',
    'Engines in software are measured on the host itself, not in the lab.',
    'Leave out --on lab.',
  );
}
