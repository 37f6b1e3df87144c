/** The builder's operations on the status flags, which are kept as status-flags.ts says. */
import type { Condition, FlagsKind, StatusFlag, Value } from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { FLAG_BIT, FLAGS_KIND, SAVED_CARRY_SHIFT, TURN_PF, TURN_SF } from '../status-flags.ts';
import { CONVERT, I32, OP } from '../wasm/instructions.ts';
import { ArithmeticBuilder } from './arithmetic-builder.ts';
import type { ArithmeticFunctions } from './arithmetic-functions.ts';
import type { FlagFunctions } from './flag-functions.ts';
import { STATE_LOCAL } from './handler-type.ts';

/** Indices of functions. */
export interface FlagCalls extends ArithmeticFunctions {
  readonly flags: FlagFunctions;
  /** (state, ZF, SF, PF): the result from which these follow. */
  readonly setResultFlags: number;
}

export class FlagBuilder extends ArithmeticBuilder {
  readonly #functions: FlagCalls;

  constructor(functions: FlagCalls) {
    super(functions);
    this.#functions = functions;
  }

  flag(flag: StatusFlag): Value {
    return this.result(1, () => this.code.get(STATE_LOCAL).call(this.#functions.flags[flag]));
  }

  condition(condition: Condition): Value {
    const isNegated = (condition & 1) !== 0;
    const value = this.#conditionWithout(condition >> 1);
    return isNegated ? this.binary('xor', value, this.constant(1, 1)) : value;
  }

  statusFlags(kind: FlagsKind, a: Value, b: Value, result: Value): void {
    const keepsCarry = kind === 'inc' || kind === 'dec';
    const kindWord = this.result(32, () => {
      if (kind === 'adc' || kind === 'sbb') this.#kindWithCarry(kind);
      else this.code.i32(FLAGS_KIND[kind]);
      if (keepsCarry) this.get(this.flag('CF')).i32(SAVED_CARRY_SHIFT).op(I32.shl, I32.or);
    });
    this.#storeSigned('flagsResult', result);
    if (kind !== 'logic') {
      this.#storeSigned('flagsA', a);
      this.#storeSigned('flagsB', b);
    }
    this.#storeKind(kindWord);
  }

  resultFlags(result: Value, { CF, OF, AF }: { CF: Value; OF: Value; AF?: Value }): void {
    this.#storeExplicit({ CF, OF, ...(AF && { AF }) });
    this.#storeSigned('flagsResult', result);
    this.#storeKind(this.constant(32, FLAGS_KIND.explicit));
  }

  setFlags(flags: Partial<Record<StatusFlag, Value>>): void {
    if (!flags.ZF && !flags.SF && !flags.PF) {
      this.#setCarryFlags(flags);
      return;
    }
    const all = Object.fromEntries(
      (['CF', 'AF', 'OF', 'ZF', 'SF', 'PF'] as const).map((flag) => [flag, flags[flag] ?? this.flag(flag)]),
    ) as Record<StatusFlag, Value>;
    this.#storeExplicit(all);
    this.code.get(STATE_LOCAL);
    this.get(all.ZF, all.SF, all.PF).call(this.#functions.setResultFlags);
  }

  /** What ZF, SF and PF follow from can stay. */
  #setCarryFlags(flags: Partial<Record<StatusFlag, Value>>): void {
    const kind = this.result(32, () => {
      this.code.get(STATE_LOCAL).load(32, offsetOf('flagsKind'));
      this.code.i32(TURN_SF | TURN_PF).op(I32.and);
    });
    const [CF, AF, OF] = (['CF', 'AF', 'OF'] as const).map((flag) => flags[flag] ?? this.flag(flag));
    this.#storeExplicit({ CF: CF!, AF: AF!, OF: OF! });
    this.#storeKind(kind);
  }

  #conditionWithout(pair: number): Value {
    const or = (a: Value, b: Value) => this.binary('or', a, b);
    const signDiffers = () => this.compare('ne', this.flag('SF'), this.flag('OF'));
    switch (pair) {
      case 0:
        return this.flag('OF');
      case 1:
        return this.flag('CF');
      case 2:
        return this.flag('ZF');
      case 3:
        return or(this.flag('CF'), this.flag('ZF'));
      case 4:
        return this.flag('SF');
      case 5:
        return this.flag('PF');
      case 6:
        return signDiffers();
      default:
        return or(signDiffers(), this.flag('ZF'));
    }
  }

  /** Without a carry in, the flags are those of 'add' or 'sub'. */
  #kindWithCarry(kind: 'adc' | 'sbb'): void {
    this.code.i32(FLAGS_KIND[kind]).i32(FLAGS_KIND[kind === 'adc' ? 'add' : 'sub']);
    this.get(this.flag('CF')).op(OP.select);
  }

  #storeSigned(name: 'flagsResult' | 'flagsA' | 'flagsB', value: Value): void {
    this.code.get(STATE_LOCAL);
    this.pushSigned(value, 64);
    this.code.store(64, offsetOf(name));
  }

  #storeExplicit(flags: Partial<Record<'CF' | 'AF' | 'OF', Value>>): void {
    const word = this.result(32, () => {
      this.code.i32(0);
      for (const flag of ['CF', 'AF', 'OF'] as const)
        if (flags[flag]) this.get(flags[flag]).i32(FLAG_BIT[flag]).op(I32.shl, I32.or);
    });
    this.code.get(STATE_LOCAL);
    this.get(word).op(CONVERT.i64ExtendI32U).store(64, offsetOf('flagsA'));
  }

  #storeKind(kind: Value): void {
    this.code.get(STATE_LOCAL);
    this.get(kind).store(32, offsetOf('flagsKind'));
  }
}
