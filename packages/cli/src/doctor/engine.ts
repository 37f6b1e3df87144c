/** Whether Vireo's own engine runs what an unmodified kernel needs. */
import type { Probe } from './kvm.ts';
import { type Check, fail, ok, warn } from './report.ts';

/** Without it a host with KVM lacks only what --accel wasm asks for. */
export function checkEngine(probe: Probe, hasKvm: boolean): Check {
  const id = 'engine';
  const title = "Vireo's engine";
  if (probe.kind === 'able') return ok(id, title, 'a probe VM ran 64-bit code, SSE2 and CMPXCHG16B');
  const found =
    probe.kind === 'error' ? probe.message : `a probe VM could not run ${probe.missing.join(', ')}`;
  const advice = (probe.kind === 'error' && probe.advice) || 'Build it again: npm ci in a checkout of Vireo.';
  return hasKvm ? warn(id, title, found, advice) : fail(id, title, found, advice);
}
