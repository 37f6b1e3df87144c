/** What the families of x87 instructions share. */
import type { Builder, Operand, Value } from '../builder.ts';
import { type Encoding, enc, type Feature, type Instruction, instruction } from '../instruction.ts';

/** An instruction that waits for exceptions of those before it. */
export function x87(
  mnemonic: string,
  encodings: readonly Encoding[],
  semantics: (e: Builder, ...operands: Operand[]) => void,
  feature?: Feature,
): Instruction {
  return instruction(mnemonic, {
    encodings,
    ...(feature && { feature }),
    unit: 'x87',
    semantics(e, ...operands) {
      e.x87.wait();
      semantics(e, ...operands);
    },
  });
}

/** One without operands, whose opcode's second byte is all of ModRM. */
export function x87Implied(
  mnemonic: string,
  notation: string,
  semantics: (e: Builder) => unknown,
): Instruction {
  return x87(mnemonic, [enc('NP', notation)], (e) => {
    e.x87.remember();
    semantics(e);
  });
}

/** An operand in memory, which becomes the last instruction's. */
export function readNumber(e: Builder, source: Operand): Value {
  const value = e.read(source);
  e.x87.remember(e.addressOf(source));
  return value;
}

/** Pops if there was a result. */
export function popAfter(e: Builder, isDone: Value, times: 1 | 2 = 1): void {
  e.if(isDone, () => {
    for (let time = 0; time < times; time++) e.x87.pop();
  });
}
