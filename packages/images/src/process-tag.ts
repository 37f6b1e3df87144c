/**
 * Names a running process so that another one can later tell whether it is still there: its id, its
 * start time (proc(5), /proc/PID/stat field 22: ids are reused) and its PID namespace.
 */
import { readFileSync, readlinkSync } from 'node:fs';

/** `PID-STARTTIME-NAMESPACE`, digits and hyphens only, so it can be part of a file name. */
export function processTag(): string {
  return `${process.pid}-${startTime(process.pid)}-${pidNamespace()}`;
}

/** Whether the tagged process still runs; `unknown` for one in another PID namespace (a container, say). */
export function taggedProcess(tag: string): 'alive' | 'gone' | 'unknown' {
  const [pid, start, namespace] = tag.split('-');
  if (namespace !== pidNamespace()) return 'unknown';
  return startTime(Number(pid)) === start ? 'alive' : 'gone';
}

function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field, the name, may hold spaces and parentheses: count from its end.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined; // ENOENT or ESRCH: no such process
  }
}

/** The number in `pid:[4026531836]`. */
function pidNamespace(): string {
  return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
}
