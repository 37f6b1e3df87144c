/**
 * Where bin/vireo enters. `vireo run` with nothing to say about its arguments goes straight to the machine; everything
 * else (help, other commands, mistakes) goes through the command line parser.
 */
import { launch } from './run/launch.ts';
import { readRunArguments, toRunOptions } from './run/options.ts';
import { runToExit } from './run-to-exit.ts';

async function main(args: readonly string[]): Promise<number> {
  const values = args[0] === 'run' ? readRunArguments(args.slice(1)) : undefined;
  if (values) return await launch(toRunOptions(values));
  const { runProgram } = await import('./program.ts');
  return await runProgram(args);
}

void runToExit(() => main(process.argv.slice(2)));
