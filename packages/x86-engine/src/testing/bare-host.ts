/** What an interpreter imports, for tests that run single instructions without a system around them. */
import type { InterpreterImports } from '../interpreter/interpreter-module.ts';

type Slow = InterpreterImports['slowRead'];

/** Everything but memory throws. Segments, which have no limits, come down to linear addresses. */
export function bareHost(slowRead: Slow, slowWrite: Slow = slowRead): InterpreterImports {
  const refuse = (what: string) => () => {
    throw new Error(`${what} was not expected here`);
  };
  return {
    ...{ slowRead, slowWrite, findCode: () => 0, random: () => 0n },
    ...{ segmentRead: refuse('a segment limit'), segmentWrite: refuse('a segment limit') },
    system: refuse('a system operation'),
  };
}
