/**
 * A guest with Debian's programs, dynamically linked, and the scripts of tests/guests/programs, as an initramfs; and the
 * same files as a directory, in which the host runs the same scripts.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import {
  buildOnce,
  type CpioEntry,
  cacheDirectory,
  contentKey,
  cpioArchive,
  debianPackages,
  makeMergedUsr,
  mergeTree,
  type UnpackedPackage,
} from '@vireo/images';

const PACKAGES = [
  ...['bash', 'coreutils', 'diffutils', 'findutils', 'grep', 'sed', 'mawk', 'busybox-static'],
  ...['perl', 'python3', 'gcc', 'libc6-dev', 'gzip', 'xz-utils', 'openssl', 'sqlite3'],
];
/** What no script runs, and would only make the initramfs larger. */
const UNUSED =
  /^(usr\/share\/(doc|man|locale|info|lintian|bug)|.*\/(lto1|lto-dump|gprofng.*)|.*\/lib[atl]san\.so.*)(\/|$)/;
const SCRIPTS = join(import.meta.dirname, '../guests/programs');
const SCRIPTS_IN_GUEST = 'programs';
const INIT = 'init.sh';
/** Raised when something changes in the tree that its key would not show. */
const LAYOUT = '2';

export interface ProgramsGuest {
  readonly initrd: string;
  readonly tree: string;
}

export async function programsGuest(): Promise<ProgramsGuest> {
  const packages = await debianPackages({ names: PACKAGES });
  const scripts = readdirSync(SCRIPTS).map((name) => `${name}\0${readFileSync(join(SCRIPTS, name), 'utf8')}`);
  const versions = packages.map(({ name, version }) => `${name} ${version}`).sort();
  const key = contentKey(LAYOUT, ...versions, ...scripts);
  const directory = await buildOnce(join(cacheDirectory(), 'guest', `programs-${key}`), async (building) => {
    const tree = join(building, 'tree');
    makeTree(tree, packages);
    writeInitrd(tree, join(building, 'initrd'));
  });
  return { initrd: join(directory, 'initrd'), tree: join(directory, 'tree') };
}

function makeTree(tree: string, packages: readonly UnpackedPackage[]): void {
  makeMergedUsr(tree);
  for (const { directory } of packages) mergeTree(directory, tree, (path) => !UNUSED.test(path));
  for (const name of ['dev', 'proc', 'sys', 'tmp', 'etc', 'root', SCRIPTS_IN_GUEST]) {
    mkdirSync(join(tree, name), { recursive: true });
  }
  writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\n');
  symlinkSync('mawk', join(tree, 'usr/bin/awk'));
  for (const script of readdirSync(SCRIPTS)) {
    const path = script === INIT ? 'init' : join(SCRIPTS_IN_GUEST, script);
    writeFileSync(join(tree, path), readFileSync(join(SCRIPTS, script)), { mode: 0o755 });
  }
}

function writeInitrd(tree: string, path: string): void {
  const file = openSync(path, 'w');
  for (const chunk of cpioArchive(treeEntries(tree))) writeSync(file, chunk);
  closeSync(file);
}

function* treeEntries(tree: string, under = ''): Generator<CpioEntry> {
  for (const name of readdirSync(join(tree, under)).sort()) {
    const path = under === '' ? name : `${under}/${name}`;
    const stats = lstatSync(join(tree, path));
    if (stats.isSymbolicLink()) yield { kind: 'symlink', path, target: readlinkSync(join(tree, path)) };
    else if (stats.isFile())
      yield { kind: 'file', path, mode: stats.mode & 0o777, data: readFileSync(join(tree, path)) };
    if (!stats.isDirectory()) continue;
    yield { kind: 'directory', path };
    if (path === 'dev') yield { kind: 'character-device', path: 'dev/console', major: 5, minor: 1 };
    yield* treeEntries(tree, path);
  }
}

/** Why the host cannot run the guest's programs; undefined when it can. */
export function chrootMissing(): string | undefined {
  const { status } = spawnSync('unshare', [...NAMESPACE, 'true']);
  return status === 0
    ? undefined
    : 'needs user namespaces (unshare -r), or root, to run the same programs on the host';
}

const NAMESPACE = process.getuid?.() === 0 ? ['--mount'] : ['--map-root-user', '--mount'];

/** What a command of the guest's shell prints when the host runs it in the guest's files. */
export function runOnHost(tree: string, command: (directory: string) => string): string {
  const directory = mkdtempSync(join(tree, 'tmp/host-'));
  try {
    // Its own mounts, which end with it: of /dev, /proc and nothing else.
    const script =
      'mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && exec chroot "$0" /bin/busybox sh -c "$1"';
    const args = [...NAMESPACE, 'sh', '-c', script, tree, command(`/tmp/${basename(directory)}`)];
    const { stdout, status, stderr } = spawnSync('unshare', args, { encoding: 'latin1', env: ENVIRONMENT });
    if (status !== 0) throw new Error(`the host's run ended with ${status}: ${stderr}`);
    return stdout;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const ENVIRONMENT = { PATH: '/usr/bin:/usr/sbin:/bin:/sbin', HOME: '/root' };
