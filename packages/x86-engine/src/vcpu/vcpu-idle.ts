/** A vCPU that does not run: halted, or waiting for INIT and the startup IPI (Intel SDM Vol. 3A §8.4.3 "MP Initialization Protocol Algorithm for MP Systems"). */

import { NEVER } from '../interrupts/controller-memory.ts';
import type { InterruptControllers } from '../interrupts/interrupt-controllers.ts';
import { NO_VECTOR } from '../interrupts/lapic.ts';
import { RFLAGS } from '../system/processor.ts';
import type { PendingEvents } from './pending-events.ts';
import { resetProcessor, startProcessor } from './processor-reset.ts';
import type { VcpuCore } from './vcpu-core.ts';
import type { EngineThread } from './vcpu-host.ts';

const NANOSECONDS_PER_MS = 1_000_000;
/** Atomics.wait takes no more; then it is called again. */
const LONGEST_MS = 60_000;

export class VcpuIdle {
  readonly #core: VcpuCore;
  readonly #events: PendingEvents;
  readonly #thread: EngineThread;
  readonly #controllers: InterruptControllers | null;

  constructor(
    core: VcpuCore,
    events: PendingEvents,
    { thread, controllers }: { thread: EngineThread; controllers: InterruptControllers | null },
  ) {
    this.#core = core;
    this.#events = events;
    this.#thread = thread;
    this.#controllers = controllers;
  }

  /** Fires timers that are due: the vCPU's own, and vCPU 0 the PIT. */
  expireTimers(): void {
    const { interrupts, id } = this.#core;
    if (interrupts === null) return;
    const now = this.#thread.now();
    interrupts.expire(now);
    if (id === 0) this.#controllers!.expirePit(now);
  }

  /** Sleeps until the vCPU has something to run. @returns false when something else wants it first */
  wait(): boolean {
    const { control, interrupts } = this.#core;
    if (interrupts === null) return true;
    for (;;) {
      const { wakeCount } = interrupts;
      this.expireTimers();
      this.#takeSignals();
      if (this.#isRunnable()) return true;
      if (control.isKicked) return false;
      control.leave();
      this.#thread.beforeSleep?.();
      interrupts.sleep(wakeCount, this.#timeoutMs());
      control.enter();
      this.#core.serveRequests();
    }
  }

  #takeSignals(): void {
    const core = this.#core;
    const interrupts = core.interrupts!;
    if (interrupts.takeInit()) {
      resetProcessor(core, this.#events);
      this.#events.mpState = core.id === 0 ? 'runnable' : 'init-received';
    }
    const vector = interrupts.takeSipi();
    if (vector === NO_VECTOR) return;
    // Taken also where the vCPU has no use for it.
    if (this.#events.mpState !== 'init-received') return;
    startProcessor(core, vector);
    this.#events.mpState = 'runnable';
  }

  #isRunnable(): boolean {
    const { mpState } = this.#events;
    if (mpState !== 'halted') return mpState === 'runnable';
    const isWoken = this.#hasInterrupt() || (this.#events.nmiPending && !this.#events.nmiMasked);
    if (isWoken) this.#events.mpState = 'runnable';
    return isWoken;
  }

  #hasInterrupt(): boolean {
    const isEnabled = (this.#core.general.otherFlags & RFLAGS.IF) !== 0n;
    return isEnabled && this.#core.interrupts!.pendingVector() !== NO_VECTOR;
  }

  #timeoutMs(): number {
    const interrupts = this.#core.interrupts!;
    let deadline = interrupts.nextDeadlineNs;
    if (this.#core.id === 0 && this.#controllers!.pitDeadlineNs < deadline)
      deadline = this.#controllers!.pitDeadlineNs;
    if (deadline === NEVER) return LONGEST_MS;
    const left = Number(deadline - this.#thread.now()) / NANOSECONDS_PER_MS;
    return Math.min(Math.max(left, 0), LONGEST_MS);
  }
}
