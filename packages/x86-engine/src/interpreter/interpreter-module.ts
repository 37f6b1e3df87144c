/**
 * The interpreter as one WebAssembly module: a handler for each variant of each instruction, in a table in the order of
 * the variants, then what ends a stretch of records.
 */
import type { StatusFlag } from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { EXIT } from '../exit-reason.ts';
import { addFloatFunctions } from '../float/float-functions.ts';
import { RECORD, RECORD_BYTES } from '../record.ts';
import { FLAG_BIT, FLAGS_KIND, TURN_PF, TURN_SF } from '../status-flags.ts';
import { Code, type FunctionType } from '../wasm/code.ts';
import { I32, OP } from '../wasm/instructions.ts';
import { type MemoryLimits, ModuleBuilder } from '../wasm/module-builder.ts';
import { importFloat80 } from '../x87/float80-imports.ts';
import { addX87Functions } from '../x87/x87-functions.ts';
import { addArithmeticFunctions } from './arithmetic-functions.ts';
import { addBlockFunctions } from './block-functions.ts';
import { addBulkFunctions } from './bulk-functions.ts';
import { addFlagFunctions, type FlagFunctions } from './flag-functions.ts';
import { gotoFunction } from './goto-function.ts';
import { HANDLER_TYPE, RECORD_LOCAL, STATE_LOCAL } from './handler-type.ts';
import { type Functions, InterpreterBuilder } from './interpreter-builder.ts';
import { addLockedFunctions } from './locked-functions.ts';
import { addSegmented, addTranslation, SEGMENTED_TYPE, TRANSLATE_TYPE } from './memory-functions.ts';
import { pushNextRip, pushRip } from './rip.ts';
import { addUnitFaults, pushUnitCheck, type UnitFaults } from './unit-check.ts';
import { listVariants, type Variant } from './variants.ts';
import { addVectorFunctions } from './vector-functions.ts';

/** What the module imports besides its memory, as `host`; interpreter-instance.ts adds the rest. */
export interface InterpreterImports {
  /** An access that the TLB does not allow (memory-functions.ts). */
  readonly slowRead: (state: number, record: number, gva: bigint, lengthBytes: number) => number;
  readonly slowWrite: (state: number, record: number, gva: bigint, lengthBytes: number) => number;
  /** An access beyond what the segment's limit allows, as far as that is known (memory-functions.ts). */
  readonly segmentRead: SegmentAccess;
  readonly segmentWrite: SegmentAccess;
  /** The record of the instruction at an address in the code segment that the table of decoded code has not, or 0. */
  readonly findCode: (rip: bigint) => number;
  /** 64 bits that nobody can guess, for RDRAND and RDSEED. */
  readonly random: () => bigint;
  /** An operation of the system's side; `call` has its number and the operand size (interpreter-builder.ts). */
  readonly system: (state: number, record: number, call: number, a: bigint, b: bigint) => bigint;
}

/** `segment`: the address of its base, in the state. @returns an address in our memory, or 0 */
export type SegmentAccess = (
  state: number,
  record: number,
  segment: number,
  offset: bigint,
  lengthBytes: number,
) => number;

export interface InterpreterExports {
  /** Runs from a record on. @returns an exit reason */
  readonly run: (state: number, record: number) => number;
  /** All six, at their places in RFLAGS. */
  readonly statusFlags: (state: number) => number;
  /** A flag's value, by its name. */
  readonly [flag: `flag${string}`]: (state: number) => number;
}

/** As in Functions.system. */
const SYSTEM_TYPE: FunctionType = { parameters: ['i32', 'i32', 'i32', 'i64', 'i64'], results: ['i64'] };

/** Handlers that are no instruction: one returns to the host before what is there, the other goes on at its address. */
export const stopHandler = (variants: readonly Variant[]): number => variants.length;
export const fallThroughHandler = (variants: readonly Variant[]): number => variants.length + 1;

/** As profiles show it: the instruction, its operands and what tells its variants apart. */
function nameOf({ instruction, encoding, operandBits, rm, lock, repeat }: Variant): string {
  const operands = encoding.operands.map(({ name }) => name).join(',');
  const prefixes = `${lock ? 'lock ' : ''}${repeat === 'none' ? '' : `${repeat} `}`;
  return `${prefixes}${instruction.mnemonic} ${operands} ${operandBits}${rm ? ` ${rm}` : ''}`;
}

export function makeInterpreter(
  memory: MemoryLimits,
  variants: readonly Variant[] = listVariants(),
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(memory);
  const handlerType = module.typeIndex(HANDLER_TYPE);
  const slowRead = module.importFunction('slowRead', TRANSLATE_TYPE);
  const slowWrite = module.importFunction('slowWrite', TRANSLATE_TYPE);
  const segmentRead = module.importFunction('segmentRead', SEGMENTED_TYPE);
  const segmentWrite = module.importFunction('segmentWrite', SEGMENTED_TYPE);
  const findCode = module.importFunction('findCode', { parameters: ['i64'], results: ['i32'] });
  const random = module.importFunction('random', { parameters: [], results: ['i64'] });
  const system = module.importFunction('system', SYSTEM_TYPE);
  const float80 = importFloat80(module);
  const arithmetic = addArithmeticFunctions(module, random);
  const flags = addFlagFunctions(module, arithmetic.multiplyHighSigned);
  for (const [flag, index] of Object.entries(flags)) module.export(`flag${flag}`, index);
  const statusFlags = module.add(statusFlagsFunction(flags));
  module.export('statusFlags', statusFlags);
  const translateRead = addTranslation(module, 'read', slowRead);
  const translateWrite = addTranslation(module, 'write', slowWrite);
  const functions: Functions = {
    ...{ flags, statusFlags, translateRead, translateWrite },
    segmentedRead: addSegmented(module, 'read', { translate: translateRead, slow: segmentRead }),
    segmentedWrite: addSegmented(module, 'write', { translate: translateWrite, slow: segmentWrite }),
    block: addBlockFunctions(module, translateRead, translateWrite),
    setResultFlags: module.add(setResultFlags()),
    goto: module.add(gotoFunction(handlerType, findCode), 'goto'),
    handlerType,
    system,
    bulk: addBulkFunctions(module),
    locked: addLockedFunctions(module),
    ...arithmetic,
    vector: addVectorFunctions(module),
    float: addFloatFunctions(module),
    x87: addX87Functions(module, float80),
  };
  const faults = addUnitFaults(module);
  for (const variant of variants)
    module.addToTable(module.add(handler(variant, functions, faults, handlerType), nameOf(variant)));
  module.addToTable(module.add(stop()));
  module.addToTable(module.add(fallThrough(functions.goto)));
  module.export('run', module.add(run(handlerType)));
  return module.encode();
}

function handler(variant: Variant, functions: Functions, faults: UnitFaults, handlerType: number): Code {
  const builder = new InterpreterBuilder(variant, functions);
  pushUnitCheck(builder.code, variant, faults);
  builder.define(() => variant.instruction.semantics(builder, ...builder.operands));
  builder.end(handlerType, RECORD_BYTES);
  return builder.code;
}

function statusFlagsFunction(flags: FlagFunctions): Code {
  const code = new Code({ parameters: ['i32'], results: ['i32'] });
  code.i32(0);
  for (const [flag, place] of Object.entries(FLAG_BIT))
    code
      .get(STATE_LOCAL)
      .call(flags[flag as StatusFlag])
      .i32(place)
      .op(I32.shl, I32.or);
  return code;
}

function run(handlerType: number): Code {
  const code = new Code(HANDLER_TYPE);
  code.get(STATE_LOCAL).get(RECORD_LOCAL).get(RECORD_LOCAL).load(32, RECORD.handler);
  return code.returnCallIndirect(handlerType);
}

function stop(): Code {
  const code = new Code(HANDLER_TYPE);
  code.get(STATE_LOCAL);
  pushRip(code);
  return code.store(64, offsetOf('rip')).i32(EXIT.stopped);
}

function fallThrough(goto: number): Code {
  const code = new Code(HANDLER_TYPE);
  code.get(STATE_LOCAL).get(RECORD_LOCAL);
  pushNextRip(code);
  return code.returnCall(goto);
}

/** (state, ZF, SF, PF): a result from which these follow, turned over where no number has them (status-flags.ts). */
function setResultFlags(): Code {
  const code = new Code({ parameters: ['i32', 'i32', 'i32', 'i32'], results: [] });
  const [state, zf, sf, pf] = [0, 1, 2, 3];
  // Of ZF: 0, whose SF is clear and PF set. Without: 1 or 3 with PF's parity, and no sign.
  code.get(state).i64(0n).i64(3n).i64(1n).get(pf).op(OP.select).get(zf).op(OP.select);
  code.store(64, offsetOf('flagsResult'));
  const turnPf = () => code.get(zf).get(pf).op(I32.eqz, I32.and).i32(TURN_PF).op(I32.mul);
  code.get(state).i32(FLAGS_KIND.explicit).get(sf).i32(TURN_SF).op(I32.mul, I32.or);
  turnPf();
  return code.op(I32.or).store(32, offsetOf('flagsKind'));
}
