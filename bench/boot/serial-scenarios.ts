/** How fast guests can write to the serial port: from the first of many bytes to the last, as a reader sees it. */
import type { Scenario } from '../alternate.ts';
import { type LinuxGuest, referencesOf } from './linux-scenarios.ts';
import type { Guest, Monitor } from './monitors.ts';
import { VmProcess } from './vm-process.ts';

const BEGIN = 'begin-of-text';
const END = 'end-of-text';

export interface SerialOptions {
  readonly kib: number;
  readonly guest: Guest;
}

/** A tiny guest that writes nothing else, then ends. */
export function tinySerialScenario(
  name: string,
  how: string,
  monitors: readonly Monitor[],
  { kib, guest }: SerialOptions,
): Scenario<Monitor> {
  return {
    name,
    quantities: [{ name: `${kib} KiB to the serial port, ${how}`, unit: 'ms' }],
    subjects: monitors,
    references: referencesOf(monitors),
    async run(monitor) {
      const vm = new VmProcess(monitor.command(guest));
      const lastByteMs = await vm.waitForBytes(kib * 1024);
      await vm.ended;
      return [lastByteMs - vm.firstByteMs];
    },
  };
}

/** Linux's driver: by interrupts, a FIFO's worth each. */
export function linuxSerialScenario(
  monitors: readonly Monitor[],
  guest: LinuxGuest,
  kib: number,
): Scenario<Monitor> {
  // The guest waits for an answer before it ends, since what the driver still holds would be lost.
  const script =
    `echo ${BEGIN}; dd if=/dev/zero bs=1k count=${kib} 2>/dev/null | tr '\\000' x >/dev/ttyS0; ` +
    `echo; echo ${END}; read answer; poweroff -f`;
  return {
    name: 'serial-linux',
    quantities: [{ name: `${kib} KiB to /dev/ttyS0, by Linux's driver`, unit: 'ms' }],
    subjects: monitors,
    references: referencesOf(monitors),
    async run(monitor) {
      const vm = new VmProcess(monitor.command({ ...guest, append: `quiet vireo.run="${script}"` }));
      const begin = await vm.waitFor(new RegExp(BEGIN));
      const end = await vm.waitFor(new RegExp(END));
      vm.type('\n');
      await vm.ended;
      return [end.atMs - begin.atMs];
    },
  };
}
