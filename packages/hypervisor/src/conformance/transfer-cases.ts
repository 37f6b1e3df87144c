/** Every case of a move from one accelerator to another. */

import type { CaseGroups } from './case-registration.ts';
import { eventMoveCases } from './cases/events.ts';
import { movedRegisterCases } from './cases/moved-registers.ts';
import { moveThreadCases } from './cases/moves-between-threads.ts';
import { moveCases } from './cases/save-restore.ts';
import { controllerMoveCases } from './cases/save-restore-controllers.ts';
import { travellerCases } from './cases/travelling-guest.ts';

export const TRANSFER_CASES: CaseGroups = {
  'a guest moves': moveCases,
  'a guest moves with interrupt controllers': controllerMoveCases,
  'events in delivery move': eventMoveCases,
  'clocks and registers move': movedRegisterCases,
  'guests that run and halt move': moveThreadCases,
  'a guest moves again and again': travellerCases,
};
