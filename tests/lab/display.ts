/** What the lab itself says, all of it on standard error: progress on a terminal, and more with --verbose. */
import type { Progress } from '@vireo/images';

export class Display {
  readonly #verbose: boolean;
  readonly #start = performance.now();
  #lineShown = false;

  constructor(verbose: boolean) {
    this.#verbose = verbose;
  }

  /** One line that is overwritten; nothing where there is no terminal, for standard error is the command's. */
  readonly progress: Progress = (done, total, what) => {
    if (!process.stderr.isTTY) return;
    const percent = total > 0 ? ` ${Math.floor((100 * done) / total)} %` : '';
    process.stderr.write(`\r\x1b[Klab: ${what}${percent}`);
    this.#lineShown = true;
  };

  clearProgress(): void {
    if (this.#lineShown) process.stderr.write('\r\x1b[K');
    this.#lineShown = false;
  }

  /** With --verbose, says how far the run is, and how long after its start. */
  stage(name: string): void {
    if (!this.#verbose) return;
    const seconds = (performance.now() - this.#start) / 1000;
    process.stderr.write(`lab: ${seconds.toFixed(2)} s: ${name}\n`);
  }

  readonly console = (text: string): void => {
    if (this.#verbose) process.stderr.write(text);
  };
}
