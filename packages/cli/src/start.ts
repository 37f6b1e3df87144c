/**
 * Where bin/vireo enters. `vireo run` with nothing to say about its arguments goes straight to the machine; everything
 * else (help, other commands, mistakes) goes through the command line parser.
 */
import { makeVcpuThreads } from '@vireo/vmm/vcpu/vcpu-thread';
import { readRunArguments, toRunOptions } from './run/options.ts';
import { runToExit } from './run-to-exit.ts';

async function main(args: readonly string[]): Promise<number> {
  const values = args[0] === 'run' ? readRunArguments(args.slice(1)) : undefined;
  if (values) {
    const options = toRunOptions(values);
    // They load while everything else does.
    const threads = makeVcpuThreads(options.cpus);
    const { runVirtualMachine } = await import('./run/run.ts');
    return await runVirtualMachine(options, threads);
  }
  const { runProgram } = await import('./program.ts');
  return await runProgram(args);
}

void runToExit(() => main(process.argv.slice(2)));
