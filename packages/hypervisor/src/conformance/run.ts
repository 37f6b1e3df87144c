/**
 * The conformance suite: what every implementation of the contract must do, as tests of `node:test`.
 *
 *     await registerConformance({ name: 'kvm', hypervisor: openKvm(), … });
 */
import { after, before, describe, test } from 'node:test';
import { CaseContext } from './case-context.ts';
import { CONFORMANCE_CASES } from './cases.ts';
import type { ConformanceCase } from './conformance-case.ts';
import type { ConformanceSubject } from './subject.ts';
import { Watchdog } from './watchdog.ts';
import { WorkerPool } from './worker-pool.ts';

export type { ConformanceCase } from './conformance-case.ts';
export { probeFeatures } from './probe.ts';
export type { ConformanceSubject, Feature } from './subject.ts';
export { CONFORMANCE_CASES };

const CASE_TIMEOUT_MS = 60_000;

/** Registers one subtest per case; those that need what the subject lacks are skipped and say what it is. */
export function registerConformance(subject: ConformanceSubject): void {
  const pool = new WorkerPool(subject.workerModule);
  let watchdog: Watchdog;
  before(async () => {
    watchdog = await Watchdog.start(subject.workerModule);
  });
  after(() => Promise.all([watchdog.stop(), pool.close()]));
  for (const [group, cases] of Object.entries(CONFORMANCE_CASES)) {
    describe(`${subject.name}: ${group}`, () => {
      for (const it of cases) {
        const missing = (it.needs ?? []).filter((feature) => !subject.features.has(feature));
        const skip = missing.length > 0 && `${subject.name} lacks ${missing.join(', ')}`;
        test(it.name, { skip, timeout: 2 * CASE_TIMEOUT_MS }, async (t) => {
          const note = (text: string) => t.diagnostic(`${it.name}: ${text}`);
          watchdog.arm(it.name, CASE_TIMEOUT_MS);
          await runCase(it, new CaseContext(subject, watchdog, pool, note));
          watchdog.disarm();
        });
      }
    });
  }
}

async function runCase(it: ConformanceCase, context: CaseContext): Promise<void> {
  try {
    await it.run(context);
  } catch (error) {
    context.note(await context.describe());
    throw error;
  } finally {
    await context.close();
  }
}
