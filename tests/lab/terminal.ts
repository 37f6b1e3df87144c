/** Hands the user's terminal to the command in the lab, and takes it back on every way out. */
import type { Control } from './control.ts';

/** Ctrl-^: ends the lab, as Ctrl-C and Ctrl-] go to the command. */
const ESCAPE = 0x1e;

/** The command gets a terminal of its own in the lab when both ends here are one. */
export function isTerminal(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

/** Raw mode and window size; `onEscape` is called when the user asks to leave. */
export function borrowTerminal(control: Control, onEscape: () => void): Disposable {
  const restore = () => process.stdin.setRawMode(false);
  const resize = () => control.resize(process.stdout.rows, process.stdout.columns);
  const look = (chunk: Buffer) => {
    if (chunk.includes(ESCAPE)) onEscape();
  };
  process.stdin.setRawMode(true);
  process.stdin.on('data', look);
  process.stdout.on('resize', resize);
  process.on('exit', restore);
  return {
    [Symbol.dispose]() {
      restore();
      process.stdin.off('data', look);
      process.stdout.off('resize', resize);
      process.off('exit', restore);
    },
  };
}
