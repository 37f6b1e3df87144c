/** Where the guest programs run: in virtual machines that stay up and take turns, and on the host itself. */
import { join } from 'node:path';
import { runProgram } from '@vireo/images';
import type { Subject } from '../alternate.ts';
import type { Guest, Monitor } from '../boot/monitors.ts';
import { GuestSession } from './guest-session.ts';
import type { CpuProgram } from './programs.ts';
import { type RunResult, requireRunResult } from './run-result.ts';

export interface CpuSubject extends Subject {
  /** @throws UserError */
  run(program: CpuProgram, iterations: number, threads: number): Promise<RunResult>;
  close(): Promise<void>;
}

export const NATIVE = 'this host, natively';

export function nativeSubject(directory: string): CpuSubject {
  return {
    name: NATIVE,
    async run({ name }, iterations, threads) {
      const words = [`${iterations}`, `${threads}`];
      const { status, stdout } = await runProgram(join(directory, name), words);
      return requireRunResult(NATIVE, name, status, stdout);
    },
    async close() {},
  };
}

/** One VM, started at its first turn, and again when it ended in the one before. */
export function guestSubject(monitor: Monitor, guest: Guest): CpuSubject {
  let session: GuestSession | undefined;
  return {
    name: monitor.name,
    async run({ name }, iterations, threads) {
      if (session === undefined || session.isOver) session = await GuestSession.start(monitor, guest);
      return await session.run(name, iterations, threads);
    },
    async close() {
      await session?.close();
    },
  };
}
