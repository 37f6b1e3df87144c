/** A case of one exception: its vector, its error code, and the instruction pointer that its handler finds on the stack. */
import assert from 'node:assert/strict';
import type { Assembler } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, exceptionHandler, report } from '../guest-code.ts';
import type { GuestMode } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';
import type { Feature } from '../subject.ts';

export interface Fault {
  readonly name: string;
  /** Default 'long'. */
  readonly mode?: GuestMode;
  readonly needs?: readonly Feature[];
  readonly vector: number;
  readonly errorCode?: number;
  /** Done to the machine before it runs. */
  readonly prepare?: (machine: Machine) => void;
  /** Puts the label `fault` where the saved instruction pointer leads to. */
  code(a: Assembler): void;
}

export function faultCase(fault: Fault): ConformanceCase {
  const { name, needs = [], mode = 'long', vector, errorCode, prepare } = fault;
  return {
    name,
    needs,
    run(t) {
      const machine = t.machine({
        mode,
        code(a) {
          fault.code(a);
          report(a, 0xbad);
          done(a);
          exceptionHandler(a, vector, { errorCode: errorCode !== undefined });
        },
        vectors: { [vector]: `exception ${vector}` },
      });
      prepare?.(machine);
      const expected = [vector, ...(errorCode === undefined ? [] : [errorCode])];
      assert.deepEqual(machine.finish(), [...expected, machine.program.address('fault')]);
    },
  };
}
