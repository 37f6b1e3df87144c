/** Runs hold.ts in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Resolves when the process holds what it should. */
export async function startHolder(what: 'lock' | 'build', path: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'hold.ts'), what, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

export async function endHolder(child: ChildProcess, signal: NodeJS.Signals): Promise<NodeJS.Signals | null> {
  const closed = once(child, 'close');
  child.kill(signal);
  await closed;
  return child.signalCode;
}
