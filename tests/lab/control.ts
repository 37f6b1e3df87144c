/**
 * The control port's protocol, lines of words. From the lab: `started`, then `exit STATUS OUT ERR` with
 * how many bytes the command wrote to standard output and error. To the lab: `size ROWS COLUMNS`.
 */
import type { Duplex } from 'node:stream';

export interface Outcome {
  readonly status: number;
  readonly outBytes: number;
  readonly errBytes: number;
}

export interface Control {
  readonly started: Promise<void>;
  readonly ended: Promise<Outcome>;
  resize(rows: number, columns: number): void;
}

export function openControl(port: Duplex): Control {
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<Outcome>();
  let pending = '';
  port.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (pending + chunk).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) {
      if (line === 'started') started.resolve();
      const outcome = parseExit(line);
      if (outcome) ended.resolve(outcome);
    }
  });
  port.on('error', () => {}); // the machine is gone, which is noticed elsewhere
  return {
    started: started.promise,
    ended: ended.promise,
    resize: (rows, columns) => port.write(`size ${rows} ${columns}\n`),
  };
}

export function parseExit(line: string): Outcome | undefined {
  const [, status, outBytes, errBytes] = /^exit (\d+) (\d+) (\d+)$/.exec(line) ?? [];
  if (status === undefined) return undefined;
  return { status: Number(status), outBytes: Number(outBytes), errBytes: Number(errBytes) };
}
