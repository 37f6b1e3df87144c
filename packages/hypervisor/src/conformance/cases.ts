/** Every case of the suite, by subject. */
import { deliveryWithoutControllersCases } from './cases/delivery-without-controllers.ts';
import { dirtyLogCases } from './cases/dirty-log.ts';
import { exceptionCases } from './cases/exceptions.ts';
import { flagCases } from './cases/flags.ts';
import { interruptLineCases } from './cases/interrupt-lines.ts';
import { kickCases } from './cases/kick.ts';
import { memorySlotCases } from './cases/memory-slots.ts';
import { lapicCases, messageCases } from './cases/messages.ts';
import { mmioCases } from './cases/mmio.ts';
import { modeCases } from './cases/modes.ts';
import { pagingCases } from './cases/paging.ts';
import { pioCases } from './cases/pio.ts';
import { programCases } from './cases/programs.ts';
import { smpCases } from './cases/smp.ts';
import { wakeCases } from './cases/wake.ts';
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
  'halt and wake': wakeCases,
  'several vCPUs': smpCases,
  'memory slots': memorySlotCases,
  'dirty log': dirtyLogCases,
  'kicks and completion': kickCases,
};
