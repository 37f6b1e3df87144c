/** The watchdog's thread; see watchdog.ts. */
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { OpenKick, VcpuKick } from '../contract.ts';
import type { WatchdogData, WatchdogMessage } from './watchdog.ts';

const KICK_INTERVAL_MS = 100;
/** From the first kick to the end of the process: a vCPU that no kick reaches would hang the whole run. */
const LAST_RESORT_MS = 20_000;
const STDERR = 2;

const { workerModule, expired } = workerData as WatchdogData;
const { openKick } = (await import(workerModule)) as { openKick: OpenKick };

let kicks: VcpuKick[] = [];
let timer: NodeJS.Timeout | undefined;

parentPort?.on('message', (message: WatchdogMessage) => {
  if (message.kind === 'watch') kicks.push(openKick(message.seed));
  else if (message.kind === 'settle') parentPort?.postMessage('settled');
  else if (message.kind === 'disarm') disarm();
  else arm(message.generation, message.name, message.timeoutMs);
});

function arm(generation: number, name: string, timeoutMs: number): void {
  disarm();
  timer = setTimeout(() => {
    Atomics.store(new Int32Array(expired), 0, generation);
    kickUntil(performance.now() + LAST_RESORT_MS, name);
  }, timeoutMs);
}

function kickUntil(end: number, name: string): void {
  for (const kick of kicks) kick.kick();
  if (performance.now() > end) {
    writeSync(STDERR, `"${name}" hangs and no kick reaches its vCPU: ending the process\n`);
    process.kill(process.pid, 'SIGKILL');
  }
  timer = setTimeout(() => kickUntil(end, name), KICK_INTERVAL_MS);
}

function disarm(): void {
  clearTimeout(timer);
  for (const kick of kicks) kick.close();
  kicks = [];
}
