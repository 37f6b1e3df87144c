/**
 * How many instructions one iteration of a program takes: counted on the host's processor by single steps, of one, two and
 * three iterations, and kept beside the program.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '@vireo/errors';
import { requireProgram } from '@vireo/images';

/** @throws UserError when iterations differ in their instructions. */
export async function instructionsPerIteration(directory: string, program: string): Promise<number> {
  const path = join(directory, `${program}.instructions`);
  if (existsSync(path)) return Number(readFileSync(path, 'utf8'));
  const counts: number[] = [];
  for (const iterations of [1, 2, 3]) counts.push(await count(directory, program, iterations));
  const each = slope(counts);
  if (each === undefined) {
    throw new UserError(
      'bench-uncountable',
      `One, two and three iterations of ${program} take ${counts.join(', ')} instructions: no multiples.`,
      'Make all of its iterations do the same.',
    );
  }
  writeFileSync(path, `${each}\n`);
  return each;
}

async function count(directory: string, program: string, iterations: number): Promise<number> {
  const output = await requireProgram(join(directory, 'count-instructions'), [
    join(directory, program),
    `${iterations}`,
  ]);
  return Number(/^instructions (\d+)$/m.exec(output)?.[1]);
}

/** By how much each number is more than the one before; undefined when that is not always the same. */
export function slope(counts: readonly number[]): number | undefined {
  const steps = counts.slice(1).map((value, i) => value - counts[i]!);
  const [first] = steps;
  return first !== undefined && first > 0 && steps.every((step) => step === first) ? first : undefined;
}
