/** Programs: Node, and what makes the default guest. */
import type { HostFiles } from './host-files.ts';
import { type Check, ok, warn } from './report.ts';

/** As package.json's engines says. */
const NODE_MAJOR = 24;

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Program → the Debian package that has it. */
const GUEST_TOOLS: Readonly<Record<string, string>> = { 'apt-get': 'apt', 'dpkg-deb': 'dpkg' };

export function checkNode(version: string): Check {
  const major = Number(/^v?(\d+)\./.exec(version)?.[1] ?? 0);
  if (major >= NODE_MAJOR) return ok('node', 'Node', version);
  return warn(
    'node',
    'Node',
    version,
    `Use Node ${NODE_MAJOR} or newer; npm ci in Vireo's directory brings one.`,
  );
}

export function checkGuestTools(files: HostFiles, searchPath: string): Check {
  const directories = searchPath.split(':').filter((it) => it.startsWith('/'));
  const missing = Object.keys(GUEST_TOOLS).filter(
    (program) => !directories.some((directory) => files.isExecutable(`${directory}/${program}`)),
  );
  const packages = missing.map((program) => GUEST_TOOLS[program]!);
  const lacking = [...missing];
  if (!files.exists(KEYRING)) {
    lacking.push("Debian's keyring");
    packages.push('debian-archive-keyring');
  }
  const title = 'default guest';
  if (lacking.length === 0)
    return ok('guest-tools', title, 'apt-get, dpkg-deb and the keyring to make it are there');
  return warn(
    'guest-tools',
    title,
    `cannot be made here: no ${lacking.join(', no ')}`,
    `Install ${packages.join(' ')}, or name a kernel: vireo run --kernel FILE.`,
  );
}
