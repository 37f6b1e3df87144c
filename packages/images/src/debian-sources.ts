/**
 * Which mirrors this host uses for Debian's own packages: sources.list(5), in its one-line and its
 * deb822 form. Only Debian's entries are taken over, so that a broken third-party source on the
 * host cannot break an image build.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One archive: an address and the suites to take from it. */
export interface DebianSource {
  readonly uri: string;
  readonly suites: readonly string[];
}

/** Where Debian's archives are, and the release that Vireo builds its images from. */
export const RELEASE = 'bookworm';
const DEFAULT_ARCHIVE = 'http://deb.debian.org/debian';
const DEFAULT_SECURITY_ARCHIVE = 'http://deb.debian.org/debian-security';

/** The host's Debian mirrors; Debian's own addresses where the host is no Debian or names none. */
export function debianSources(aptDirectory = '/etc/apt'): DebianSource[] {
  const uris = readSourceFiles(aptDirectory).flatMap(({ name, text }) =>
    name.endsWith('.sources') ? parseDeb822(text) : parseOneLine(text),
  );
  const archive = uris.find(({ uri }) => isArchive(uri, 'debian'));
  const security = uris.find(({ uri }) => isArchive(uri, 'debian-security'));
  return [
    { uri: archive?.uri ?? DEFAULT_ARCHIVE, suites: [RELEASE, `${RELEASE}-updates`] },
    { uri: security?.uri ?? DEFAULT_SECURITY_ARCHIVE, suites: [`${RELEASE}-security`] },
  ];
}

/** Mirrors keep the archive's directory name at the end; file:, cdrom: and the like are left alone. */
function isArchive(uri: string, directory: string): boolean {
  return /^(https?|mirror\+https?):/.test(uri) && uri.replace(/\/+$/, '').endsWith(`/${directory}`);
}

function readSourceFiles(aptDirectory: string): { name: string; text: string }[] {
  const parts = join(aptDirectory, 'sources.list.d');
  const names = existsSync(parts) ? readdirSync(parts).sort() : [];
  return [join(aptDirectory, 'sources.list'), ...names.map((name) => join(parts, name))]
    .filter((path) => /\.(list|sources)$/.test(path) && existsSync(path))
    .map((path) => ({ name: path, text: readFileSync(path, 'utf8') }));
}

/** `deb [ option=value … ] uri suite component…` (sources.list(5) "One-Line-Style Format"). */
export function parseOneLine(text: string): DebianSource[] {
  const sources: DebianSource[] = [];
  for (const line of text.split('\n')) {
    const [, uri, suite] = /^\s*deb\s+(?:\[[^\]]*\]\s*)?([^\s#]+)\s+([^\s#]+)/.exec(line) ?? [];
    if (uri !== undefined && suite !== undefined) sources.push({ uri, suites: [suite] });
  }
  return sources;
}

/** Stanzas of fields, separated by empty lines (sources.list(5) "deb822-Style Format"). */
export function parseDeb822(text: string): DebianSource[] {
  return text
    .split(/\n\s*\n/)
    .map(parseStanza)
    .filter(
      (fields) =>
        words(fields, 'types').includes('deb') && !/^(no|false|0|off)$/i.test(fields.get('enabled') ?? ''),
    )
    .flatMap((fields) => words(fields, 'uris').map((uri) => ({ uri, suites: words(fields, 'suites') })));
}

function parseStanza(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let name = '';
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#')) continue;
    const start = /^([^\s:]+):(.*)$/.exec(line);
    if (start?.[1] !== undefined) {
      name = start[1].toLowerCase();
      fields.set(name, (start[2] ?? '').trim());
    } else if (name !== '') {
      fields.set(name, `${fields.get(name)} ${line.trim()}`.trim());
    }
  }
  return fields;
}

function words(fields: Map<string, string>, name: string): string[] {
  return (fields.get(name) ?? '').split(/\s+/).filter((word) => word !== '');
}
