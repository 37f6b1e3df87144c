/** Where the guest programs run: in virtual machines that stay up and take turns, and on the host itself. */
import { join } from 'node:path';
import { runProgram } from '@vireo/images';
import type { Subject } from '../alternate.ts';
import type { Guest, Monitor } from '../boot/monitors.ts';
import { GuestSession } from './guest-session.ts';
import type { CpuProgram } from './programs.ts';
import { type RunResult, requireRunResult } from './run-result.ts';

export interface CpuSubject extends Subject {
  /** Does nothing where there is nothing to start. @throws UserError when the guest does not boot. */
  open(): Promise<void>;
  /** @throws UserError */
  run(program: CpuProgram, iterations: number, threads: number): Promise<RunResult>;
  close(): Promise<void>;
}

export const NATIVE = 'this host, natively';

export function nativeSubject(directory: string): CpuSubject {
  return {
    name: NATIVE,
    async open() {},
    async run({ name }, iterations, threads) {
      const words = [`${iterations}`, `${threads}`];
      const { status, stdout } = await runProgram(join(directory, name), words);
      return requireRunResult(NATIVE, name, status, stdout);
    },
    async close() {},
  };
}

/** One VM, which is started again when it ended in its last turn. */
export function guestSubject(monitor: Monitor, guest: Guest): CpuSubject {
  let session: GuestSession | undefined;
  const running = async () => {
    if (session === undefined || session.isOver) session = await GuestSession.start(monitor, guest);
    return session;
  };
  return {
    name: monitor.name,
    async open() {
      await running();
    },
    async run({ name }, iterations, threads) {
      return await (await running()).run(name, iterations, threads);
    },
    async close() {
      await session?.close();
    },
  };
}
