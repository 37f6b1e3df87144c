/** Cases as subtests of `node:test`, each with its limit of time, on one subject or from one to another. */
import { after, before, describe, test } from 'node:test';
import type { CaseContext } from './case-context.ts';
import type { ConformanceCase } from './conformance-case.ts';
import type { ConformanceSubject } from './subject.ts';
import { SubjectSession } from './subject-session.ts';

/** Of a case on one subject; a move needs both, and in the lab the engine runs on an emulated processor. */
const CASE_TIMEOUT_MS = 60_000;
const MOVE_TIMEOUT_MS = 300_000;

export type CaseGroups = Readonly<Record<string, readonly ConformanceCase[]>>;

/**
 * Cases that need what a subject lacks are skipped and say what it is. They run on the first subject; from one to the other
 * guests are moved, if there are two.
 */
export function registerCases(
  title: string,
  groups: CaseGroups,
  subjects: readonly ConformanceSubject[],
): void {
  const sessions = subjects.map((subject) => new SubjectSession(subject));
  before(async () => {
    for (const session of sessions) await session.open();
  });
  after(() => Promise.all(sessions.map((session) => session.close())));
  for (const [group, cases] of Object.entries(groups))
    describe(`${title}: ${group}`, () => {
      for (const it of cases) registerCase(it, sessions);
    });
}

function registerCase(it: ConformanceCase, sessions: readonly SubjectSession[]): void {
  const lacks = sessions.flatMap(({ subject }) => lackOf(subject, it) ?? []);
  const skip = lacks.length > 0 && lacks.join('; ');
  const timeoutMs = sessions.length > 1 ? MOVE_TIMEOUT_MS : CASE_TIMEOUT_MS;
  test(it.name, { skip, timeout: 2 * timeoutMs }, async (t) => {
    const note = (text: string) => t.diagnostic(`${it.name}: ${text}`);
    const contexts = sessions.map((session) => session.begin(it.name, timeoutMs, note));
    for (const [i, context] of contexts.entries()) context.destination = contexts[(i + 1) % contexts.length]!;
    await runCase(it, contexts);
    for (const session of sessions) session.end();
  });
}

function lackOf(subject: ConformanceSubject, { needs = [] }: ConformanceCase): string | undefined {
  const missing = needs.filter((feature) => !subject.features.has(feature));
  return missing.length > 0 ? `${subject.name} lacks ${missing.join(', ')}` : undefined;
}

async function runCase(it: ConformanceCase, contexts: readonly CaseContext[]): Promise<void> {
  try {
    await it.run(contexts[0]!);
  } catch (error) {
    for (const context of contexts) context.note(await context.describe());
    throw error;
  } finally {
    for (const context of contexts) await context.close();
  }
}
