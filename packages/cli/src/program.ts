/** The command line: what there is to say about it (help, suggestions, mistakes) and the way to each command. */
import { Command, CommanderError, Option } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { printLine } from './errors.ts';
import { launch } from './run/launch.ts';
import { type RawValues, RUN_OPTIONS, toRunOptions } from './run/options.ts';

const USAGE_ERROR = 2;

const RUN_HELP = `
A first run without --kernel makes the default guest from Debian's packages, and needs the network.
Without a KVM that can run it, Vireo's own x86-64 engine runs the guest, more slowly.
SIGTERM and SIGINT press the guest's power button, a second one ends the VM. On a terminal, every key
goes to the guest but Ctrl-], which ends the VM.

Exit status: 0 when the guest powered off (or reset, with --no-reboot) or Ctrl-] ended it; 1 when it
failed or the host refused something; 2 when the arguments cannot be.

Examples:
  vireo run                                         the default guest, 1 vCPU and 512 MiB
  vireo run --cpus 4 --memory 2G --name build       more of both, and a name for ps
  vireo run --accel wasm                            Vireo's own engine, even where there is KVM
  vireo run --kernel vmlinuz --initrd initrd.img --append 'root=/dev/ram0 quiet'
  echo 'uname -a; poweroff -f' | vireo run          a script types, its output goes on
`;

const DOCTOR_HELP = `
Exit status: 0 when this host can run VMs, 1 when it cannot.

Examples:
  vireo doctor
  vireo doctor --format json | jq '.checks[] | select(.status != "ok")'
`;

/** Returns the exit status. */
export async function runProgram(args: readonly string[]): Promise<number> {
  let exitStatus = 0;
  const program = makeProgram((status) => {
    exitStatus = status;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help that was asked for is no mistake; help instead of a command is.
    return error.exitCode === 0 ? 0 : USAGE_ERROR;
  }
  return exitStatus;
}

function makeProgram(setStatus: (status: number) => void): Command {
  const program = new Command('vireo')
    .description('Runs virtual machines, each one an ordinary Linux process.')
    .version(packageJson.version, '--version', 'print the version')
    .helpOption('--help', 'say how it is used')
    .helpCommand('help [COMMAND]', 'say how a command is used')
    .exitOverride()
    .configureOutput({ outputError: (text) => printLine(oneLine(text)) });
  program.command('run').description('boot a VM, with its console on this terminal');
  program.command('doctor').description('find out whether this host can run VMs, and what to do if not');
  for (const command of program.commands) command.copyInheritedSettings(program);

  const [run, doctor] = program.commands as [Command, Command];
  for (const { name, value, help } of RUN_OPTIONS)
    run.addOption(new Option(value ? `--${name} <${value}>` : `--${name}`, help));
  run.addHelpText('after', RUN_HELP).action(async (values: Record<string, unknown>) => {
    setStatus(await launch(toRunOptions(toRawValues(values))));
  });
  doctor
    .addOption(new Option('--format <FORMAT>', 'how to say it').choices(['text', 'json']).default('text'))
    .addHelpText('after', DOCTOR_HELP)
    .action(async ({ format }: { format: 'text' | 'json' }) => {
      const { doctor } = await import('./doctor/doctor.ts');
      setStatus(await doctor(format));
    });
  return program;
}

/** Commander turns `--no-reboot` into `reboot: false`. */
function toRawValues({ reboot, ...values }: Record<string, unknown>): RawValues {
  return { ...values, 'no-reboot': reboot === false } as RawValues;
}

/** Commander's errors in the one form that all of Vireo's have. */
function oneLine(text: string): string {
  return text
    .trim()
    .replace(/^error: /, '')
    .replace(/'(--?[^']+)'/g, '$1')
    .replace(/^option (\S+) <\w+> argument missing$/, '$1 needs a value')
    .replace(
      /^option (\S+) <\w+> argument '(.*)' is invalid\. Allowed choices are/,
      "$1 '$2' is not known. Choose from",
    )
    .replace(/^too many arguments for '(\w+)'.* got \d+: (.*)\.$/, '$1 takes options only, not $2')
    .replace(/\n+\((.*)\)$/s, '. $1')
    .replace(/[^.?]$/, '$&.');
}
