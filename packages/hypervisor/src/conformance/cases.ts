/** Every case of the suite, by subject. */

import { addressSpaceCases } from './cases/address-spaces.ts';
import { arithmeticCases } from './cases/arithmetic.ts';
import { atomicCases } from './cases/atomics.ts';
import { callGateCases } from './cases/call-gates.ts';
import { clockCases } from './cases/clock.ts';
import { cpuidCases } from './cases/cpuid.ts';
import { crossModifyingCodeCases } from './cases/cross-modifying-code.ts';
import { debugCases } from './cases/debug.ts';
import { deliveryWithoutControllersCases } from './cases/delivery-without-controllers.ts';
import { dirtyLogCases } from './cases/dirty-log.ts';
import { doubleFaultCases } from './cases/double-faults.ts';
import { eventCases } from './cases/events.ts';
import { exceptionCases } from './cases/exceptions.ts';
import { fastSystemCallCases } from './cases/fast-system-calls.ts';
import { faultingStoreCases } from './cases/faulting-stores.ts';
import { flagCases } from './cases/flags.ts';
import { interruptLineCases } from './cases/interrupt-lines.ts';
import { interruptedStringCases } from './cases/interrupted-strings.ts';
import { kickCases } from './cases/kick.ts';
import { lapicCases } from './cases/lapic.ts';
import { legacyPagingCases } from './cases/legacy-paging.ts';
import { memoryOrderCases } from './cases/memory-order.ts';
import { memorySlotCases } from './cases/memory-slots.ts';
import { messageCases } from './cases/messages.ts';
import { mmioCases } from './cases/mmio.ts';
import { modeRoundTripCases } from './cases/mode-round-trip.ts';
import { modeCases } from './cases/modes.ts';
import { movedRegisterCases } from './cases/moved-registers.ts';
import { moveThreadCases } from './cases/moves-between-threads.ts';
import { msrCases } from './cases/msrs.ts';
import { nestedExceptionCases } from './cases/nested-exceptions.ts';
import { pageFaultCases } from './cases/page-faults.ts';
import { pageTableCases } from './cases/page-tables.ts';
import { pagingCases } from './cases/paging.ts';
import { pioCases } from './cases/pio.ts';
import { privilegeCases } from './cases/privilege.ts';
import { programCases } from './cases/programs.ts';
import { saveRestoreCases } from './cases/save-restore.ts';
import { saveRestoreControllerCases } from './cases/save-restore-controllers.ts';
import { segmentBaseInstructionCases } from './cases/segment-base-instructions.ts';
import { segmentLimitCases } from './cases/segment-limits.ts';
import { segmentLoadCases } from './cases/segment-loads.ts';
import { selfModifyingCodeCases } from './cases/self-modifying-code.ts';
import { smpCases } from './cases/smp.ts';
import { translationCacheCases } from './cases/translation-caches.ts';
import { travellerCases } from './cases/travelling-guest.ts';
import { unitExceptionCases } from './cases/unit-exceptions.ts';
import { vectorStateCases } from './cases/vector-state.ts';
import { virtual8086Cases } from './cases/virtual-8086.ts';
import { wakeCases } from './cases/wake.ts';
import { watchpointCases } from './cases/watchpoints.ts';
import type { ConformanceCase } from './conformance-case.ts';

export const CONFORMANCE_CASES: Readonly<Record<string, readonly ConformanceCase[]>> = {
  'port I/O': pioCases,
  MMIO: mmioCases,
  'integer programs': [...arithmeticCases, ...flagCases, ...programCases],
  exceptions: [...exceptionCases, ...unitExceptionCases, ...nestedExceptionCases, ...doubleFaultCases],
  privilege: [...privilegeCases, ...fastSystemCallCases, ...segmentBaseInstructionCases],
  paging: [
    ...pagingCases,
    ...pageFaultCases,
    ...pageTableCases,
    ...legacyPagingCases,
    ...translationCacheCases,
    ...addressSpaceCases,
    ...faultingStoreCases,
  ],
  'modes and segments': [
    ...modeCases,
    ...modeRoundTripCases,
    ...segmentLoadCases,
    ...segmentLimitCases,
    ...callGateCases,
    ...virtual8086Cases,
  ],
  'interrupts without controllers': deliveryWithoutControllersCases,
  'interrupt lines': interruptLineCases,
  'messages and routing': messageCases,
  'local APIC': lapicCases,
  'halt and wake': wakeCases,
  'several vCPUs': smpCases,
  'rewritten code': [...selfModifyingCodeCases, ...crossModifyingCodeCases],
  'interrupted string instructions': interruptedStringCases,
  'atomic operations': atomicCases,
  'memory ordering': memoryOrderCases,
  'memory slots': memorySlotCases,
  'dirty log': dirtyLogCases,
  'kicks and completion': kickCases,
  'save and restore': [...saveRestoreCases, ...movedRegisterCases, ...moveThreadCases, ...travellerCases],
  'save and restore with controllers': saveRestoreControllerCases,
  'events in delivery': eventCases,
  'debug stops': debugCases,
  watchpoints: watchpointCases,
  CPUID: cpuidCases,
  MSRs: msrCases,
  'x87, SSE and AVX': vectorStateCases,
  clock: clockCases,
};
