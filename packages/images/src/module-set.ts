/** Picks modules out of an unpacked kernel package, with what they depend on, and indexes them for modprobe. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UserError } from '@vireo/errors';
import { type ModuleInfo, moduleName, readModuleInfo } from './kernel-module.ts';

export interface KernelModule extends ModuleInfo {
  /** Below /lib/modules/VERSION, such as `kernel/drivers/block/virtio_blk.ko`. */
  readonly path: string;
  readonly data: Uint8Array;
}

/** The named modules and all that they need, each after those it depends on. */
export function selectModules(modulesDirectory: string, names: readonly string[]): KernelModule[] {
  const paths = modulePaths(modulesDirectory);
  const selected = new Map<string, KernelModule>();
  const add = (name: string) => {
    if (selected.has(name)) return;
    const path = paths.get(name);
    if (path === undefined) throw missingModule(name);
    const data = readFileSync(join(modulesDirectory, path));
    const info = readModuleInfo(data);
    for (const needed of info.depends) add(needed);
    selected.set(name, { ...info, path, data });
  };
  for (const name of names) add(moduleName(name));
  return [...selected.values()];
}

/** All modules of a kernel package, by the names that selectModules takes. */
export function moduleNames(modulesDirectory: string): string[] {
  return [...modulePaths(modulesDirectory).keys()].sort();
}

function modulePaths(modulesDirectory: string): Map<string, string> {
  const entries = readdirSync(modulesDirectory, { recursive: true, encoding: 'utf8' });
  return new Map(
    entries.filter((path) => path.endsWith('.ko')).map((path) => [moduleName(basename(path, '.ko')), path]),
  );
}

function missingModule(name: string): UserError {
  return new UserError(
    'module-missing',
    `Debian's kernel package has no module ${name}.`,
    'Remove what is in the vireo cache directory, so that the package is fetched anew.',
  );
}

/** modules.dep(5): each module with everything it needs, the last of these to be loaded first. */
export function modulesDep(modules: readonly KernelModule[]): string {
  const byName = new Map(modules.map((item) => [item.name, item]));
  const closure = (item: ModuleInfo): string[] =>
    item.depends.flatMap((name) => [
      name,
      ...closure(byName.get(name) ?? { name, depends: [], aliases: [] }),
    ]);
  const line = (item: KernelModule) => {
    const needed = new Set(closure(item));
    const inLoadOrder = modules.filter(({ name }) => needed.has(name));
    return `${item.path}:${inLoadOrder
      .toReversed()
      .map(({ path }) => ` ${path}`)
      .join('')}\n`;
  };
  return modules.map(line).join('');
}

/** modules.alias: which module drives a device. */
export function modulesAlias(modules: readonly KernelModule[]): string {
  return modules.flatMap(({ name, aliases }) => aliases.map((alias) => `alias ${alias} ${name}\n`)).join('');
}
