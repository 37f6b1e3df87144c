/**
 * The main thread's side of the hand-over: serves what vCPU threads post, spinning during bursts and sleeping between
 * them, without ever keeping the event loop from its other work for long.
 */
import type { DeviceAccess, HostMailbox } from './mailbox.ts';

/** How long to look for the next access after one: longer than an exit and its way back take. */
const SPIN_MS = 0.06;
/** At least this often the event loop gets its turn, even in the middle of a burst. */
const TURN_MS = 2;

export interface ExitServerOptions {
  readonly mailbox: HostMailbox;
  readonly serve: (access: DeviceAccess) => number;
  /** Called whenever the server was woken and before it sleeps: for output that vCPU threads produced themselves. */
  readonly collect: () => void;
  /** An error out of a device model: our own bug, which ends this VM. */
  readonly onError: (error: unknown) => void;
}

export class ExitServer {
  readonly #options: ExitServerOptions;
  #stopped = false;

  constructor(options: ExitServerOptions) {
    this.#options = options;
  }

  /** Serves until `stop`. */
  async run(): Promise<void> {
    const { mailbox, collect, onError } = this.#options;
    try {
      while (!this.#stopped) {
        const rings = mailbox.rings;
        mailbox.asleep = true;
        const busy = this.#serve() > 0;
        collect();
        if (!busy && !this.#stopped) await mailbox.wait(rings);
        mailbox.asleep = false;
        collect();
        while (this.#burst()) await turnOfEventLoop();
      }
    } catch (error) {
      onError(error);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#options.mailbox.ring();
  }

  #serve(): number {
    return this.#options.mailbox.serve(this.#options.serve);
  }

  /** Serves until nothing comes for a while. @returns true when it gave up for the event loop's sake. */
  #burst(): boolean {
    const start = performance.now();
    let last = start;
    for (let now = start; now - last < SPIN_MS && !this.#stopped; now = performance.now()) {
      if (this.#serve() > 0) last = now;
      if (now - start > TURN_MS) return true;
    }
    return false;
  }
}

function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
