/**
 * apt-get with lists, state and cache of its own: fetches Debian packages without root, and neither
 * reads nor changes what is installed on the host (apt.conf(5)). apt checks signatures and hashes.
 */
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '@vireo/errors';
import { type DebianSource, debianSources } from './debian-sources.ts';
import { type ProgramResult, runProgram } from './program.ts';
import type { Progress } from './progress.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** One package as apt resolved it. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** Of the .deb, for progress. */
  readonly sizeBytes: number;
}

export class Apt {
  readonly #directory: string;
  readonly #config: string;

  /** `directory` holds apt's files; only one process at a time may use it. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#config = join(directory, 'apt.conf');
    for (const name of ['lists/partial', 'archives/partial'])
      mkdirSync(join(directory, name), { recursive: true });
    // Nothing is installed as far as this apt knows, so dependencies resolve to the whole closure.
    writeFileSync(join(directory, 'status'), '');
    writeFileSync(join(directory, 'debian.sources'), deb822(debianSources()));
    writeFileSync(this.#config, aptConfig(directory));
  }

  /** Fetches the package lists. */
  async update(): Promise<void> {
    if (!existsSync(KEYRING)) {
      throw new UserError(
        'debian-keyring-missing',
        `The keys that sign Debian's packages are not on this host (${KEYRING}).`,
        'Install them: apt-get install debian-archive-keyring.',
      );
    }
    this.#check(await this.#run(['update']));
  }

  get hasLists(): boolean {
    return readdirSync(join(this.#directory, 'lists')).some((name) => name.includes('_Packages'));
  }

  /** The named packages and everything they depend on, in no particular order. */
  async resolve(names: readonly string[]): Promise<DebianPackage[]> {
    const result = await this.#run(['install', '--print-uris', '--yes', '--no-install-recommends', ...names]);
    this.#check(result);
    return parsePrintedUris(result.stdout);
  }

  /** Puts the .deb files of exactly these packages into `into`. */
  async download(packages: readonly DebianPackage[], into: string, progress: Progress): Promise<void> {
    const total = packages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const report = () => progress(Math.min(directorySize(into), total), total, 'fetching Debian packages');
    const timer = setInterval(report, 200);
    try {
      const wanted = packages.map(({ name, version }) => `${name}=${version}`);
      this.#check(await this.#run(['download', ...wanted], into));
    } finally {
      clearInterval(timer);
    }
    progress(total, total, 'fetching Debian packages');
  }

  #run(args: readonly string[], cwd = this.#directory): Promise<ProgramResult> {
    return runProgram('apt-get', ['-c', this.#config, '--quiet', ...args], { cwd });
  }

  #check(result: ProgramResult): void {
    if (result.status === 0) return;
    const said = result.stderr.split('\n').filter((line) => /^[EW]: /.test(line));
    throw new UserError(
      'debian-unreachable',
      `apt-get could not fetch Debian's packages: ${(said[0] ?? result.stderr.trim()).slice(3)}`,
      'Check the network (apt uses http_proxy and the mirrors in /etc/apt) and try again.',
    );
  }
}

/** Lines such as `'http://…' libc6_2.36-9+deb12u14_amd64.deb 2759320 MD5Sum:…`; the name's colons are %3a. */
export function parsePrintedUris(output: string): DebianPackage[] {
  const packages: DebianPackage[] = [];
  for (const line of output.split('\n')) {
    const [, name, version, size] = /^'[^']*' ([^ _]+)_([^ _]+)_[^ _]+\.deb (\d+) /.exec(line) ?? [];
    if (name === undefined || version === undefined || size === undefined) continue;
    packages.push({ name, version: version.replaceAll('%3a', ':'), sizeBytes: Number(size) });
  }
  return packages;
}

function directorySize(directory: string): number {
  let bytes = 0;
  for (const name of readdirSync(directory)) {
    bytes += statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

function deb822(sources: readonly DebianSource[]): string {
  return sources
    .map(
      ({ uri, suites }) =>
        `Types: deb\nURIs: ${uri}\nSuites: ${suites.join(' ')}\nComponents: main\nSigned-By: ${KEYRING}\n`,
    )
    .join('\n');
}

/** Read after the host's own configuration, so its proxy settings stay and its hooks go. */
function aptConfig(directory: string): string {
  return `
Dir::State "${directory}";
Dir::State::status "${directory}/status";
Dir::State::lists "${directory}/lists";
Dir::Cache "${directory}";
Dir::Cache::archives "${directory}/archives";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "";
Dir::Etc::SourceList "${directory}/debian.sources";
Dir::Etc::SourceParts "-";
Dir::Etc::Preferences "-";
Dir::Etc::PreferencesParts "-";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Post-Invoke;
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::IndexTargets::deb::Packages::KeepCompressedAs "gz";
Acquire::GzipIndexes "true";
`;
}
