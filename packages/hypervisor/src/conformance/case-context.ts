/** What a case is given: machines and vCPU threads that are closed when it ends, however it ends. */
import { Machine, type MachineOptions } from './machine.ts';
import type { ConformanceSubject } from './subject.ts';
import { VcpuThread } from './vcpu-thread.ts';
import type { Watchdog } from './watchdog.ts';

export class CaseContext {
  readonly subject: ConformanceSubject;
  readonly #watchdog: Watchdog;
  readonly #note: (text: string) => void;
  readonly #machines: Machine[] = [];
  readonly #threads: VcpuThread[] = [];

  constructor(subject: ConformanceSubject, watchdog: Watchdog, note: (text: string) => void) {
    this.subject = subject;
    this.#watchdog = watchdog;
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
    const { workerModule } = this.subject;
    const thread = await VcpuThread.open(workerModule, machine.handle(id), { ...setup, ...start }, checkTime);
    this.#threads.push(thread);
    return thread;
  }

  /** Says something beside the result, a measurement for example. */
  note(text: string): void {
    this.#note(text);
  }

  /** Registers of every vCPU that can be asked, for a failure. */
  describe(): string {
    return this.#machines.map((machine) => machine.describe()).join('\n');
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
    for (const machine of this.#machines) machine.close();
  }
}
