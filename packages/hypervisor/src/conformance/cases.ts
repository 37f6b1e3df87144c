/** Every case of the suite, by subject. */
import { mmioCases } from './cases/mmio.ts';
import { pioCases } from './cases/pio.ts';
import type { ConformanceCase } from './subject.ts';

export const CONFORMANCE_CASES: Readonly<Record<string, readonly ConformanceCase[]>> = {
  'port I/O': pioCases,
  MMIO: mmioCases,
};
