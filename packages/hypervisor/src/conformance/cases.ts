/** Every case of the suite, by subject. */
import { exceptionCases } from './cases/exceptions.ts';
import { flagCases } from './cases/flags.ts';
import { mmioCases } from './cases/mmio.ts';
import { modeCases } from './cases/modes.ts';
import { pagingCases } from './cases/paging.ts';
import { pioCases } from './cases/pio.ts';
import { programCases } from './cases/programs.ts';
import type { ConformanceCase } from './subject.ts';

export const CONFORMANCE_CASES: Readonly<Record<string, readonly ConformanceCase[]>> = {
  'port I/O': pioCases,
  MMIO: mmioCases,
  'integer programs': [...programCases, ...flagCases],
  exceptions: exceptionCases,
  paging: pagingCases,
  'modes and segments': modeCases,
};
