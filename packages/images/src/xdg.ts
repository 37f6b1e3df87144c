/** Where files go: "XDG Base Directory Specification" 0.8. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** The specification has relative paths ignored: "All paths … must be absolute. … consider the path invalid". */
function baseDirectory(environment: Environment, variable: string, fallback: string): string {
  const value = environment[variable];
  if (value && isAbsolute(value)) return value;
  return join(environment['HOME'] || homedir(), fallback);
}

/** Files that can be made again: fetched packages, built images. */
export function cacheDirectory(environment: Environment = process.env): string {
  return join(baseDirectory(environment, 'XDG_CACHE_HOME', '.cache'), 'vireo');
}

/** Files that should outlive a restart but are no configuration: saved machines, logs. */
export function stateDirectory(environment: Environment = process.env): string {
  return join(baseDirectory(environment, 'XDG_STATE_HOME', '.local/state'), 'vireo');
}

/** Sockets and locks of running machines; undefined where the session has no such directory. */
export function runtimeDirectory(environment: Environment = process.env): string | undefined {
  const value = environment['XDG_RUNTIME_DIR'];
  return value && isAbsolute(value) ? join(value, 'vireo') : undefined;
}
