/** One guest program as a scenario: its time everywhere, and what it computed held against this host's processor. */
import type { Scenario } from '../alternate.ts';
import type { HereOptions } from '../options.ts';
import type { CpuProgram } from './programs.ts';
import { type RunResult, requireSameResult } from './run-result.ts';
import { type CpuSubject, NATIVE } from './subjects.ts';

export interface CpuScenario {
  readonly program: CpuProgram;
  /** The first is compared with the others, among which is this host itself. */
  readonly subjects: readonly CpuSubject[];
  /** In one iteration, where that is known. */
  readonly instructions: number | undefined;
  readonly options: Pick<HereOptions, 'guestCpus' | 'scalePercent'>;
}

export function cpuScenario({ program, subjects, instructions, options }: CpuScenario): Scenario<CpuSubject> {
  const { name } = program;
  const iterations = Math.max(1, Math.round((program.iterations * options.scalePercent) / 100));
  const threads = program.isParallel ? options.guestCpus : 1;
  const quantities = [{ name: `${name}: ${program.title}, ${iterations} iterations`, unit: 'ms' as const }];
  const rate = {
    name: `${name}: instructions a second, of ${instructions} an iteration`,
    unit: 'M/s' as const,
  };
  let expected: RunResult | undefined;
  return {
    name,
    quantities: instructions === undefined ? quantities : [...quantities, rate],
    subjects,
    references: subjects.slice(1).map((subject) => subject.name),
    async run(subject) {
      expected ??= await native(subjects).run(program, iterations, threads);
      const result = await subject.run(program, iterations, threads);
      requireSameResult(subject.name, name, result, expected);
      const { nanoseconds } = result;
      const times = [nanoseconds / 1e6];
      return instructions === undefined ? times : [...times, (instructions * iterations * 1e3) / nanoseconds];
    },
  };
}

function native(subjects: readonly CpuSubject[]): CpuSubject {
  const found = subjects.find(({ name }) => name === NATIVE);
  if (found === undefined) throw new Error('no subject has the right results');
  return found;
}
