/** The host's processor, from /proc/cpuinfo (proc(5)). */
import { type Check, ok } from './report.ts';

export interface Processor {
  readonly model: string;
  readonly count: number;
  /** What the processor calls its virtualization, if it shows any. */
  readonly virtualization: 'AMD-V' | 'VT-x' | undefined;
  /** The kernel module that drives it: from the virtualization, else from the vendor. */
  readonly kvmModule: 'kvm_amd' | 'kvm_intel';
  /** This host is itself a virtual machine. */
  readonly isVirtual: boolean;
}

export function parseCpuinfo(text: string): Processor {
  const field = (name: string) =>
    new RegExp(`^${name}[ \\t]*:[ \\t]*(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
  const flags = new Set(field('flags').split(/\s+/));
  const virtualization = flags.has('svm') ? 'AMD-V' : flags.has('vmx') ? 'VT-x' : undefined;
  const isAmd = virtualization === 'AMD-V' || /AMD|Hygon/.test(field('vendor_id'));
  return {
    model: field('model name') || 'unknown',
    count: text.match(/^processor[ \t]*:/gm)?.length ?? 0,
    virtualization,
    kvmModule: isAmd ? 'kvm_amd' : 'kvm_intel',
    isVirtual: flags.has('hypervisor'),
  };
}

/** What follows from no virtualization is said of KVM. */
export function checkProcessor({ model, count, virtualization }: Processor): Check {
  const shows = virtualization ?? 'no virtualization (neither svm nor vmx)';
  return ok('processor', 'processor', `${model}, ${count} ${count === 1 ? 'CPU' : 'CPUs'}, ${shows}`);
}

export function virtualizationAdvice(isVirtual: boolean): string {
  return isVirtual
    ? 'This host is a virtual machine: have its own host turn on nested virtualization and pass the processor through.'
    : 'Turn on virtualization (AMD-V or SVM Mode, Intel VT-x) in the firmware setup.';
}
