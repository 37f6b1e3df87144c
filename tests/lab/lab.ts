/**
 * The KVM lab: runs a command in a stock Debian guest whose kernel has loaded the real kvm-amd module,
 * on any machine, with or without /dev/kvm of its own.
 */
import { join } from 'node:path';
import { UserError } from '@vireo/errors';
import { parseLabOptions, USAGE } from './options.ts';
import { runLab } from './run.ts';

/** The lab itself failed, as in `docker run` and `env`: no status of the command's own. */
const LAB_FAILED = 125;

async function main(): Promise<number> {
  try {
    const options = parseLabOptions(process.argv.slice(2));
    if (options === undefined) {
      process.stdout.write(USAGE);
      return 0;
    }
    return await runLab(options, join(import.meta.dirname, '../..'));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    process.stderr.write(`lab: ${[error.message, error.fix].filter(Boolean).join('\n')}\n`);
    return LAB_FAILED;
  }
}

process.exitCode = await main();
