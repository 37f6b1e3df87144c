/** Every case of the suite, by subject. */
import { deliveryWithoutControllersCases } from './cases/delivery-without-controllers.ts';
import { exceptionCases } from './cases/exceptions.ts';
import { flagCases } from './cases/flags.ts';
import { interruptLineCases } from './cases/interrupt-lines.ts';
import { lapicCases, messageCases } from './cases/messages.ts';
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
  'interrupts without controllers': deliveryWithoutControllersCases,
  'interrupt lines': interruptLineCases,
  'messages and routing': messageCases,
  'local APIC': lapicCases,
};
