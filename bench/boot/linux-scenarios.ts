/** What is measured with a Linux guest: the default guest's kernel and initramfs, the same for all monitors. */
import type { Scenario } from '../alternate.ts';
import type { Guest, Monitor } from './monitors.ts';
import { VmProcess } from './vm-process.ts';

/** Everything about the guest but its kernel arguments. */
export type LinuxGuest = Omit<Guest, 'append'>;

/** Linux, init/main.c, run_init_process(). With `[    0.123456] ` before it, the kernel's clock. */
const INIT_LINE = /\[ *(\d+\.\d+)\] Run \/init as init process/;

/** The first process is a shell script, and this is what it runs: by then the kernel's own start is over. */
const SHOW_AND_LEAVE = 'dmesg | grep Run./init; poweroff -f';

/** Kernel entry to /init by the guest's clock, and the whole run, with the console silent. */
export function kernelScenario(monitors: readonly Monitor[], guest: LinuxGuest): Scenario<Monitor> {
  return {
    name: 'kernel',
    quantities: [
      { name: "kernel's clock started to /init (quiet; guest's clock)", unit: 'ms' },
      { name: "process start to /init's output (quiet)", unit: 'ms' },
      { name: 'process start to end, by power-off (quiet)', unit: 'ms' },
    ],
    subjects: monitors,
    references: referencesOf(monitors),
    async run(monitor) {
      const vm = new VmProcess(monitor.command({ ...guest, append: `quiet vireo.run="${SHOW_AND_LEAVE}"` }));
      const { match, atMs } = await vm.waitFor(INIT_LINE);
      const end = await vm.ended;
      return [Number(match[1]) * 1000, atMs, end.atMs];
    },
  };
}

/** The same with everything the kernel says on its serial console, as `vireo run` has it: seen from outside. */
export function consoleScenario(monitors: readonly Monitor[], guest: LinuxGuest): Scenario<Monitor> {
  return {
    name: 'console',
    quantities: [
      { name: "console's first byte to /init's line (kernel messages on; host's clock)", unit: 'ms' },
      { name: "kernel's clock started to /init (kernel messages on; guest's clock)", unit: 'ms' },
      { name: 'process start to end, by power-off (kernel messages on)', unit: 'ms' },
      { name: 'what the kernel wrote to its console until then', unit: 'KiB' },
    ],
    subjects: monitors,
    references: referencesOf(monitors),
    async run(monitor) {
      const vm = new VmProcess(monitor.command({ ...guest, append: 'vireo.run="poweroff -f"' }));
      const { match, atMs } = await vm.waitFor(INIT_LINE);
      const sinceFirstByteMs = atMs - vm.firstByteMs;
      const end = await vm.ended;
      return [sinceFirstByteMs, Number(match[1]) * 1000, end.atMs, vm.bytes / 1024];
    },
  };
}

export function referencesOf(monitors: readonly Monitor[]): string[] {
  return monitors.slice(1).map(({ name }) => name);
}
