/** How far the making of the default guest is, on standard error: a bar on a terminal, a line for each step elsewhere. */
import type { SingleBar } from 'cli-progress';
import { printLine } from '../errors.ts';
import { formatSize } from '../size.ts';

/** Totals above this are bytes: no step has so many items. */
const BYTES_FROM = 100_000;

export class ProgressDisplay implements Disposable {
  readonly #newBar: (() => SingleBar) | undefined;
  #what = '';
  #bar: SingleBar | undefined;

  private constructor(newBar: (() => SingleBar) | undefined) {
    this.#newBar = newBar;
  }

  static async open(): Promise<ProgressDisplay> {
    return new ProgressDisplay(process.stderr.isTTY ? await loadBar() : undefined);
  }

  /** `total` is 0 while it is not known. */
  update(done: number, total: number, what: string): void {
    if (what !== this.#what) this.#startStep(what);
    this.#bar?.setTotal(Math.max(total, 1));
    this.#bar?.update(total > 0 ? done : 0, { amount: describeAmount(done, total) });
  }

  #startStep(what: string): void {
    this.#bar?.stop();
    this.#what = what;
    if (this.#newBar) {
      this.#bar = this.#newBar();
      this.#bar.start(1, 0, { what, amount: '' });
    } else printLine(`${what}…`);
  }

  [Symbol.dispose](): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}

async function loadBar(): Promise<() => SingleBar> {
  const { default: progress } = await import('cli-progress');
  return () =>
    new progress.SingleBar(
      {
        stream: process.stderr,
        format: '{what} [{bar}] {percentage}% {amount}',
        hideCursor: true,
        clearOnComplete: true,
        // A bar that stops half-way has its reason in the next line.
        stopOnComplete: false,
        gracefulExit: false,
      },
      progress.Presets.shades_classic,
    );
}

function describeAmount(done: number, total: number): string {
  if (total === 0) return done > 0 ? describe(done) : '';
  return total >= BYTES_FROM ? `${formatSize(done)} of ${formatSize(total)}` : `${done} of ${total}`;
}

function describe(done: number): string {
  return done >= BYTES_FROM ? formatSize(done) : `${done}`;
}
