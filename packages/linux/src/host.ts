/** Facts about the host, read when asked for. */
import { check, HostError } from './host-error.ts';
import { lazily } from './libc.ts';

/** bits/confname.h */
const SC_PAGESIZE = 30;
const SC_NPROCESSORS_ONLN = 84;

const sysconfCall = lazily<(name: number) => number>('intptr_t sysconf(int)');

export function pageSizeBytes(): number {
  return check(sysconfCall(SC_PAGESIZE), 'sysconf');
}

/** CPUs that are online, whether or not this process may use them (see `getAffinity`). */
export function onlineCpuCount(): number {
  return check(sysconfCall(SC_NPROCESSORS_ONLN), 'sysconf');
}

/** How many processors this process may run on at a time, by its affinity and its cgroup's quota where Node knows it. */
export function availableParallelism(): number {
  return process.getBuiltinModule('node:os').availableParallelism();
}

export interface HostMemory {
  /** All memory that the kernel manages. */
  totalBytes: number;
  /** An estimate of what programs can still take without swapping. */
  availableBytes: number;
  swapFreeBytes: number;
  /** The default huge page's size, and how many are in the pool and free. */
  hugePageBytes: number;
  hugePagesTotal: number;
  hugePagesFree: number;
}

export function hostMemory(): HostMemory {
  const fields = parseMeminfo(readText('/proc/meminfo'));
  const field = (name: string): number => fields.get(name) ?? 0;
  return {
    totalBytes: field('MemTotal'),
    availableBytes: field('MemAvailable'),
    swapFreeBytes: field('SwapFree'),
    hugePageBytes: field('Hugepagesize'),
    hugePagesTotal: field('HugePages_Total'),
    hugePagesFree: field('HugePages_Free'),
  };
}

/** proc(5) /proc/meminfo: `Name:  number kB`, in bytes; counts have no unit. Other lines are left out. */
export function parseMeminfo(text: string): Map<string, number> {
  const fields = new Map<string, number>();
  for (const [, name, value, unit] of text.matchAll(/^([^:\s]+):\s*(\d+)( kB)?$/gm)) {
    fields.set(name!, Number(value) * (unit === undefined ? 1 : 1024));
  }
  return fields;
}

export interface KernelRelease {
  /** As `uname -r` prints it. */
  text: string;
  major: number;
  minor: number;
}

export function kernelRelease(): KernelRelease {
  return parseKernelRelease(process.getBuiltinModule('node:os').release());
}

export function parseKernelRelease(text: string): KernelRelease {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(text) ?? [];
  return { text, major: Number(major), minor: Number(minor) };
}

export interface Group {
  gid: number;
  /** Undefined when /etc/group has no name for it. */
  name: string | undefined;
}

/** The groups whose rights this process has: its effective group first. */
export function processGroups(): Group[] {
  const names = parseGroupFile(readText('/etc/group'));
  const gids = new Set([process.getegid!(), ...process.getgroups!()]);
  return [...gids].map((gid) => ({ gid, name: names.get(gid) }));
}

export function groupName(gid: number): string | undefined {
  return parseGroupFile(readText('/etc/group')).get(gid);
}

/** group(5): `name:password:gid:members`. The first name of a gid counts; malformed lines are left out. */
export function parseGroupFile(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const [, name, gid] of text.matchAll(/^([^:\n]+):[^:\n]*:(\d{1,10}):.*$/gm)) {
    if (!names.has(Number(gid))) names.set(Number(gid), name!);
  }
  return names;
}

function readText(path: string): string {
  try {
    return process.getBuiltinModule('node:fs').readFileSync(path, 'utf8');
  } catch (error) {
    throw HostError.from(error, { subject: path });
  }
}
