/**
 * The main thread's side of the hand-over: serves what vCPU threads post, spinning during bursts and sleeping between
 * them, without ever keeping the event loop from its other work for long.
 */
import type { DeviceAccess, HostMailbox } from './mailbox.ts';

/**
 * How long to look for the next access after one. Longer than an exit and its way back take: 5 µs on silicon, but 55 to
 * 100 µs under software emulation, where a shorter window puts both threads to sleep at every access of a burst and
 * makes each of them cost a millisecond.
 */
const SPIN_MS = 0.25;
/** At least this often the event loop gets its turn, even in the middle of a burst and whatever wakes us. */
const TURN_MS = 2;

type Serve = (access: DeviceAccess) => number;

export interface ExitServerOptions {
  readonly mailbox: HostMailbox;
  readonly serve: Serve;
  /** Called after each turn of the event loop and before the server sleeps: for output that vCPU threads produced themselves. */
  readonly collect: () => void;
  /** Whether vCPU threads run while this one looks for their accesses: not on a host with one processor. */
  readonly spins?: boolean;
  /** An error out of a device model: our own bug, which ends this VM. */
  readonly onError: (error: unknown) => void;
}

export class ExitServer {
  readonly #options: ExitServerOptions;
  readonly #spinMs: number;
  #stopped = false;
  /** When the event loop had its last turn, as performance.now() has it. */
  #lastTurn = 0;

  constructor(options: ExitServerOptions) {
    this.#options = options;
    this.#spinMs = options.spins === false ? 0 : SPIN_MS;
  }

  /** Serves until `stop`. */
  async run(): Promise<void> {
    const { serve, collect, onError } = this.#options;
    try {
      await this.#serveUntilStopped(serve, collect);
    } catch (error) {
      onError(error);
      // A vCPU's thread is stopped between accesses only: until all of them are, each access gets an answer.
      await this.#serveUntilStopped(
        () => 0,
        () => {},
      );
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#options.mailbox.ring();
  }

  async #serveUntilStopped(serve: Serve, collect: () => void): Promise<void> {
    const { mailbox } = this.#options;
    this.#lastTurn = performance.now();
    while (!this.#stopped) {
      const rings = mailbox.rings;
      mailbox.asleep = true;
      const busy = mailbox.serve(serve) > 0;
      collect();
      if (!busy && !this.#stopped && (await mailbox.wait(rings))) this.#lastTurn = performance.now();
      mailbox.asleep = false;
      collect();
      while (this.#burst(serve)) {
        await this.#turnOfEventLoop();
        collect();
      }
    }
  }

  /** Serves until nothing comes for a while. @returns true when it gave up for the event loop's sake. */
  #burst(serve: Serve): boolean {
    let last = performance.now();
    for (let now = last; now - last < this.#spinMs && !this.#stopped; now = performance.now()) {
      if (this.#options.mailbox.serve(serve) > 0) last = now;
      if (now - this.#lastTurn > TURN_MS) return true;
    }
    return false;
  }

  async #turnOfEventLoop(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#lastTurn = performance.now();
  }
}
