/** What handlers of x87, MMX and SSE instructions begin with: #UD or #NM if the operating system has switched these off. */
import { type Unit, unitOf } from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { UNAVAILABLE_TO } from '../fpu-unavailable.ts';
import { Code } from '../wasm/code.ts';
import { I32 } from '../wasm/instructions.ts';
import type { ModuleBuilder } from '../wasm/module-builder.ts';
import { HANDLER_TYPE, RECORD_LOCAL, STATE_LOCAL } from './handler-type.ts';
import { pushRaise } from './raise.ts';
import type { Variant } from './variants.ts';

/** Functions like handlers, one for each unit, that raise what there is to raise. */
export type UnitFaults = Readonly<Record<Unit, number>>;

export function addUnitFaults(module: ModuleBuilder): UnitFaults {
  const units = Object.keys(UNAVAILABLE_TO) as Unit[];
  return Object.fromEntries(units.map((unit) => [unit, module.add(unitFault(unit))])) as UnitFaults;
}

function unitFault(unit: Unit): Code {
  const code = new Code(HANDLER_TYPE);
  pushUnavailable(code, UNAVAILABLE_TO[unit].UD);
  code.if(() => pushRaise(code, 'UD'));
  pushRaise(code, 'NM');
  return code;
}

function pushUnavailable(code: Code, bits: number): void {
  code.get(STATE_LOCAL).load(32, offsetOf('fpuUnavailable')).i32(bits).op(I32.and);
}

export function pushUnitCheck(code: Code, { instruction, encoding }: Variant, faults: UnitFaults): void {
  const unit = unitOf(instruction, encoding);
  if (unit === undefined) return;
  const { UD, NM } = UNAVAILABLE_TO[unit];
  pushUnavailable(code, UD | NM);
  code.if(() => code.get(STATE_LOCAL).get(RECORD_LOCAL).returnCall(faults[unit]));
}
