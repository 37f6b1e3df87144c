/** What a case is given: machines and vCPU threads that are closed when it ends, however it ends. */
import { Machine, type MachineOptions } from './machine.ts';
import type { ConformanceSubject } from './subject.ts';
import { VcpuThread } from './vcpu-thread.ts';
import type { Watchdog } from './watchdog.ts';
import type { WorkerPool } from './worker-pool.ts';

export class CaseContext {
  readonly subject: ConformanceSubject;
  /** Where guests are moved to: this subject, if it is not told of another. */
  destination: CaseContext = this;
  readonly #watchdog: Watchdog;
  readonly #pool: WorkerPool;
  readonly #note: (text: string) => void;
  readonly #machines: Machine[] = [];
  readonly #threads: VcpuThread[] = [];

  constructor(
    subject: ConformanceSubject,
    watchdog: Watchdog,
    pool: WorkerPool,
    note: (text: string) => void,
  ) {
    this.subject = subject;
    this.#watchdog = watchdog;
    this.#pool = pool;
    this.#note = note;
  }

  machine(options: MachineOptions): Machine {
    const machine = new Machine(this.subject, this.#watchdog, options);
    this.#machines.push(machine);
    return machine;
  }

  /** Opens a vCPU in a thread of its own: at `entry`, or as the reset leaves it. */
  async thread(machine: Machine, id: number, entry?: number): Promise<VcpuThread> {
    const setup = machine.setup();
    const start = entry === undefined ? {} : { start: { mode: machine.mode, entry } };
    const checkTime = () => machine.checkTime();
    const thread = await VcpuThread.open(this.#pool, machine.handle(id), { ...setup, ...start }, checkTime);
    this.#threads.push(thread);
    return thread;
  }

  /** Says something beside the result, a measurement for example. */
  note(text: string): void {
    this.#note(text);
  }

  /** Registers of every vCPU, for a failure. */
  async describe(): Promise<string> {
    const others = await Promise.all(this.#threads.map((thread) => thread.describe()));
    return [...this.#machines.flatMap((machine) => machine.describe() ?? []), ...others].join('\n');
  }

  async close(): Promise<void> {
    await this.#watchdog.settle();
    await Promise.all(this.#threads.map((thread) => thread.close()));
    for (const machine of this.#machines) machine.close();
  }
}
