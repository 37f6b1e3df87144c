/** An interrupt line that remembers what was done to it; for tests. */
import type { InterruptLine } from '../io-device.ts';

export class RecordingLine implements InterruptLine {
  level = false;
  /** How often the line went from low to high: what an edge-triggered input counts. */
  edges = 0;
  /** How often it was set at all. */
  calls = 0;

  set(level: boolean): void {
    this.calls++;
    if (level && !this.level) this.edges++;
    this.level = level;
  }
}
