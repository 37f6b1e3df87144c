/** One case of the suite. */
import type { CaseContext } from './case-context.ts';
import type { Feature } from './subject.ts';

export interface ConformanceCase {
  /** Says the behaviour. */
  readonly name: string;
  readonly needs?: readonly Feature[];
  run(t: CaseContext): void | Promise<void>;
}
