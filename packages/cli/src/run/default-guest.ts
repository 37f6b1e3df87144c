/** The guest for whoever names no kernel: made on first use, with its progress shown. */
import { type DefaultGuest, defaultGuest } from '@vireo/images';
import { ProgressDisplay } from './progress-display.ts';

export async function prepareDefaultGuest(): Promise<DefaultGuest> {
  using display = await ProgressDisplay.open();
  return await defaultGuest((done, total, what) => display.update(done, total, what));
}
