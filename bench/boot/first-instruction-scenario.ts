/** From the process's start to the guest's first instruction, which writes to the serial port. */
import { UserError } from '@vireo/errors';
import type { Scenario } from '../alternate.ts';
import { referencesOf } from './linux-scenarios.ts';
import type { Guest, Monitor } from './monitors.ts';
import { MARKER } from './tiny-guests.ts';
import { VmProcess } from './vm-process.ts';

export function firstInstructionScenario(monitors: readonly Monitor[], guest: Guest): Scenario<Monitor> {
  return {
    name: 'first-instruction',
    quantities: [
      { name: "process start to the guest's first instruction", unit: 'ms' },
      { name: 'process start to end, of a guest that ends at once', unit: 'ms' },
    ],
    subjects: monitors,
    references: referencesOf(monitors),
    async run(monitor) {
      const vm = new VmProcess(monitor.command(guest));
      await vm.waitFor(new RegExp(MARKER));
      const end = await vm.ended;
      if (vm.bytes !== MARKER.length) {
        throw new UserError(
          'bench-other-output',
          `${monitor.name} wrote ${vm.bytes} bytes where the guest writes one, so the first may not be the guest's.`,
          'Turn off what else writes to the serial port.',
        );
      }
      return [vm.firstByteMs, end.atMs];
    },
  };
}
