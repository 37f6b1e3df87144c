/** Programs that the host lacks, run straight from their unpacked Debian packages. */
import { accessSync, constants, existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackages, packageNamed } from './debian-packages.ts';
import { hostPath, type ProgramOptions, requireProgram } from './program.ts';

/** Where Debian's packages keep libraries, before and after usrmerge. */
const LIBRARY_PLACES = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu'];

/** Runs a program of the host, or else the one in the Debian package `from`; it has to succeed. */
export async function requireProgramFrom(
  from: string,
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  if (isOnHost(program)) return await requireProgram(program, args, options);
  const [loader = '', ...loaderArgs] = await packagedCommand(from, program);
  return await requireProgram(loader, [...loaderArgs, ...args], options);
}

/** With the package's own C library and dynamic linker, so that the host's do not matter. */
export async function packagedCommand(from: string, program: string): Promise<string[]> {
  const packages = await debianPackages({
    names: [from],
    keep: (name) => name === from || name.startsWith('lib'),
  });
  const libraries = packages.flatMap(({ directory }) =>
    LIBRARY_PLACES.map((place) => join(directory, place)),
  );
  const [path] = globSync(`{,usr/}{bin,sbin}/${program}`, { cwd: packageNamed(packages, from).directory });
  const loader = join(packageNamed(packages, 'libc6').directory, 'lib/x86_64-linux-gnu/ld-linux-x86-64.so.2');
  return [
    loader,
    ...['--library-path', libraries.filter((place) => existsSync(place)).join(':')],
    join(packageNamed(packages, from).directory, path ?? program),
  ];
}

function isOnHost(program: string): boolean {
  return hostPath()
    .split(':')
    .some((directory) => {
      try {
        accessSync(join(directory, program), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
