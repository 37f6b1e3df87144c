/** `vireo doctor`: can this host run VMs, with which accelerator, and what to do if not. */
import { examine } from './examine.ts';
import { realHostFacts } from './host-facts.ts';
import { HostFiles } from './host-files.ts';
import { formatText } from './text-report.ts';

/** Returns the exit status. */
export async function doctor(format: 'text' | 'json'): Promise<number> {
  const report = examine(new HostFiles(), await realHostFacts());
  process.stdout.write(format === 'json' ? `${JSON.stringify(report, null, 2)}\n` : formatText(report));
  return report.canRunVms ? 0 : 1;
}
