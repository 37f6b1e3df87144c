/** What the cases of one subject share: its worker threads, and the watchdog that bounds their time. */
import { CaseContext } from './case-context.ts';
import type { ConformanceSubject } from './subject.ts';
import { Watchdog } from './watchdog.ts';
import { WorkerPool } from './worker-pool.ts';

export class SubjectSession {
  readonly subject: ConformanceSubject;
  readonly #pool: WorkerPool;
  #watchdog: Watchdog | undefined;

  constructor(subject: ConformanceSubject) {
    this.subject = subject;
    this.#pool = new WorkerPool(subject.workerModule);
  }

  /** Before the first case. */
  async open(): Promise<void> {
    this.#watchdog = await Watchdog.start(this.subject.workerModule);
  }

  async close(): Promise<void> {
    await Promise.all([this.#watchdog?.stop(), this.#pool.close()]);
  }

  /** For a case whose time begins now. */
  begin(name: string, timeoutMs: number, note: (text: string) => void): CaseContext {
    const watchdog = this.#opened();
    watchdog.arm(name, timeoutMs);
    return new CaseContext(this.subject, watchdog, this.#pool, note);
  }

  end(): void {
    this.#opened().disarm();
  }

  #opened(): Watchdog {
    if (this.#watchdog === undefined) throw new Error('the session is not open');
    return this.#watchdog;
  }
}
