/** The end of the process: every way out leads through its exit hooks, which put the terminal back, and says why. */
import { printError } from './errors.ts';

export async function runToExit(main: () => Promise<number>): Promise<never> {
  // Asynchronous work that nobody waited for has failed. Said last, when the terminal can show it.
  process.on('uncaughtException', (error) => {
    process.on('exit', () => printError(error));
    process.exit(1);
  });
  let exitStatus: number;
  try {
    exitStatus = await main();
  } catch (error) {
    exitStatus = printError(error);
  }
  process.exit(exitStatus);
}
