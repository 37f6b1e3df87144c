/**
 * A small x86 assembler for guests: 16, 32 and 64-bit code, labels, and only the instructions that guests of the
 * conformance suite and of the benchmarks need. Mnemonics and operand order are Intel's.
 *
 *     const guest = assemble({ origin: 0x8000, bits: 64 }, (a) => {
 *       a.mov(ecx, 10);
 *       a.label('again');
 *       a.add(rax, rcx);
 *       a.loop('again');
 *       a.hlt();
 *     });
 */
import type { CodeBits, Program } from './assembler/encoder.ts';
import { VectorInstructions } from './assembler/vector.ts';

export type { CodeBits, Program } from './assembler/encoder.ts';
export type { Condition } from './assembler/integer.ts';
export * from './assembler/operands.ts';

export class Assembler extends VectorInstructions {}

/** Assembles what `write` emits. @throws Error when a label is missing or a value does not fit. */
export function assemble(
  { origin, bits }: { readonly origin: number; readonly bits: CodeBits },
  write: (a: Assembler) => void,
): Program {
  const assembler = new Assembler(origin, bits);
  write(assembler);
  return assembler.finish();
}
