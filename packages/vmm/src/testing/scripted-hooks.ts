/**
 * Puts a scripted accelerator in the place of KVM, in every thread that this module is loaded in before anything else:
 * the machine, its threads, devices and life cycle are then the real ones, on hosts without KVM too.
 */
import { registerHooks } from 'node:module';

const REPLACED: Readonly<Record<string, string>> = {
  '@vireo/kvm': './scripted-kvm.ts',
  '@vireo/kvm/kvm-vcpu': './scripted-vcpu.ts',
};

registerHooks({
  resolve(specifier, context, nextResolve) {
    const replacement = REPLACED[specifier];
    if (replacement !== undefined) return nextResolve(new URL(replacement, import.meta.url).href, context);
    // Workers do not inherit hooks: the vCPUs' threads are made so that they load them.
    const makesThreads =
      specifier === 'node:worker_threads' && context.parentURL?.endsWith('/vcpu-thread.ts');
    if (makesThreads) return nextResolve(new URL('./hooked-worker.ts', import.meta.url).href, context);
    return nextResolve(specifier, context);
  },
});
