/** Passes the command's standard streams through, byte for byte and in both directions at the reader's pace. */
import type { Readable, Writable } from 'node:stream';

export function forwardInput(from: Readable, to: Writable): void {
  from.pipe(to);
  // The command may end, or close its input, before it has read everything.
  to.on('error', () => {});
}

export interface ForwardedOutput {
  /** Resolves when that many bytes have come and have been written on. */
  received(bytes: number): Promise<void>;
  /** Resolves when whoever read the output has gone, as in `lab … | head`. */
  readonly readerGone: Promise<void>;
}

export function forwardOutput(from: Readable, to: Writable): ForwardedOutput {
  const { promise: readerGone, resolve: gone } = Promise.withResolvers<void>();
  let count = 0;
  let wake = () => {};
  to.on('error', () => gone());
  from.on('data', (chunk: Buffer) => {
    from.pause();
    to.write(chunk, (error) => {
      if (error) return;
      count += chunk.length;
      from.resume();
      wake();
    });
  });
  const received = async (bytes: number) => {
    while (count < bytes) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { received, readerGone };
}

/** Keeps the last of what a stream says. */
export function keepTail(
  stream: Readable,
  onText: (text: string) => void = () => {},
): { readonly text: string } {
  const kept = { text: '' };
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    kept.text = (kept.text + chunk).slice(-65536);
    onText(chunk);
  });
  return kept;
}
