/** What a VM's process holds in memory beyond its guest's, while the guest idles at its prompt. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '@vireo/errors';
import type { Scenario } from '../alternate.ts';
import { type LinuxGuest, referencesOf } from './linux-scenarios.ts';
import type { Monitor } from './monitors.ts';
import { parseSmaps, splitResident } from './smaps.ts';
import { VmProcess } from './vm-process.ts';

/** The shell asks the terminal where the cursor is, and does not wait for an answer. */
const PROMPT = /vireo:~# \S*$/;
/** Drivers are still being loaded when the prompt is there; and what a VM needs no more for an idle guest it then gives back. */
const SETTLE_MS = 10_000;

export function memoryScenario(monitors: readonly Monitor[], guest: LinuxGuest): Scenario<Monitor> {
  return {
    name: 'memory',
    quantities: [
      { name: 'resident above guest RAM, guest idle at its prompt (RSS)', unit: 'MiB' },
      { name: 'the same, shared pages by share (PSS)', unit: 'MiB' },
      { name: 'guest RAM touched', unit: 'MiB' },
    ],
    subjects: monitors,
    references: referencesOf(monitors),
    async run(monitor) {
      const vm = new VmProcess(monitor.command({ ...guest, append: 'quiet' }));
      await vm.waitFor(PROMPT);
      await sleep(SETTLE_MS);
      const sample = readResident(vm.pid, guest.memoryMib);
      vm.type('poweroff -f\n');
      await vm.ended;
      return sample;
    },
  };
}

function readResident(pid: number, guestMemoryMib: number): number[] {
  const path = `/proc/${pid}/smaps`;
  const resident = splitResident(parseSmaps(readFileSync(path, 'utf8')), guestMemoryMib);
  if (resident === undefined) {
    throw new UserError(
      'bench-no-guest-ram',
      `No mapping in ${path} is as large as the guest's memory.`,
      'Give the guest another size (--memory), so that its RAM can be told from the rest.',
    );
  }
  const { aboveGuestRam, guestRam } = resident;
  return [aboveGuestRam.rssKib, aboveGuestRam.pssKib, guestRam.pssKib].map((kib) => kib / 1024);
}
