/** A virtual machine whose first process (tests/guests/cpu/init.c) runs programs as it is told on the serial console. */
import type { Guest, Monitor } from '../boot/monitors.ts';
import { VmProcess } from '../boot/vm-process.ts';
import { type RunResult, requireHostTime, requireRunResult } from './run-result.ts';

export interface SessionLimits {
  readonly bootMs: number;
  readonly runMs: number;
  readonly powerOffMs: number;
}

/** Many times what a slow engine needs for a second's work of a fast one. */
const LIMITS: SessionLimits = { bootMs: 5 * 60_000, runMs: 2 * 60_000, powerOffMs: 60_000 };
/** The machine waits while others are measured. */
const LIFE_MS = 24 * 3_600_000;

export class GuestSession {
  readonly #name: string;
  readonly #vm: VmProcess;
  readonly #limits: SessionLimits;
  #runs = 0;
  #isOver = false;

  private constructor(name: string, vm: VmProcess, limits: SessionLimits) {
    this.#name = name;
    this.#vm = vm;
    this.#limits = limits;
    const over = () => {
      this.#isOver = true;
    };
    vm.ended.then(over, over);
  }

  /** Resolves when the first process waits for commands. @throws UserError */
  static async start(monitor: Monitor, guest: Guest, limits = LIMITS): Promise<GuestSession> {
    const session = new GuestSession(monitor.name, new VmProcess(monitor.command(guest), LIFE_MS), limits);
    await session.#vm.waitFor(/^ready\r?$/m, limits.bootMs);
    return session;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** @throws UserError when the machine or the program ends badly, takes too long, or its clock is not the host's. */
  async run(program: string, iterations: number, threads: number): Promise<RunResult> {
    const number = ++this.#runs;
    const { runMs } = this.#limits;
    this.#vm.type(`run ${number} ${program} ${iterations} ${threads}\n`);
    // The echo of the command has other words before the number.
    const begin = await this.#vm.waitFor(
      new RegExp(`^begin ${number}\\r?\\n[^]*?^(?:${program} begins|done ${number} \\d+)\\r?$`, 'm'),
      runMs,
    );
    const { match, atMs } = await this.#vm.waitFor(
      new RegExp(`^begin ${number}\\r?\\n([^]*?)^done ${number} (\\d+)\\r?$`, 'm'),
      runMs,
    );
    const result = requireRunResult(this.#name, program, Number(match[2]), match[1]!);
    requireHostTime(this.#name, program, result, atMs - begin.atMs);
    return result;
  }

  /** Powers the guest off, or ends the process when that does nothing. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#vm.type('off\n');
    const timer = setTimeout(() => this.#vm.kill(), this.#limits.powerOffMs);
    await this.#vm.ended;
    clearTimeout(timer);
  }
}
