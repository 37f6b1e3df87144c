/** `bench boot`: `vireo run` beside QEMU, from the start of the process to the guest's end. */
import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measure, type Scenario } from '../alternate.ts';
import { thisEnvironment } from '../environment.ts';
import type { HereOptions } from '../options.ts';
import { type LinuxFiles, linuxFiles } from '../preparation.ts';
import type { Report } from '../report.ts';
import { firstInstructionScenario } from './first-instruction-scenario.ts';
import { consoleScenario, kernelScenario } from './linux-scenarios.ts';
import { memoryScenario } from './memory-scenario.ts';
import { type Guest, type Monitor, type Qemu, qemuMicrovm, qemuQ35, vireo } from './monitors.ts';
import { findQemu } from './qemu.ts';
import { linuxSerialScenario, tinySerialScenario } from './serial-scenarios.ts';
import { firstInstructionGuest, polledSerialGuest, stringSerialGuest, writeGuest } from './tiny-guests.ts';

/** With engines in software, unless something else is asked for: how long the kernel takes to its first process. */
const SOFTWARE_SCENARIOS = ['kernel', 'console'];

export async function runBoot(options: HereOptions): Promise<Report> {
  const { root, tinyGuestsOnly, accelerator } = options;
  using directory = mkdtempDisposableSync(join(tmpdir(), 'vireo-bench-'));
  const qemu = await findQemu(qemuProcessor(options));
  const environment = thisEnvironment(root, { QEMU: qemu.version });
  const monitors = [
    vireo(join(root, 'packages/cli/bin/vireo'), accelerator),
    qemuQ35(qemu, accelerator),
    ...(accelerator === 'kvm' ? [qemuMicrovm(qemu)] : []),
  ];
  const linux = tinyGuestsOnly ? [] : linuxScenarios(monitors, options, await linuxFiles());
  const scenarios = [...tinyScenarios(monitors, options, directory.path), ...linux];
  const only = options.only.length === 0 && accelerator === 'wasm' ? SOFTWARE_SCENARIOS : options.only;
  const { measurements, mishaps } = await measure(scenarios, { ...options, only });
  return { benchmark: 'boot', environment, notes: [...notes(options, qemu), ...mishaps], measurements };
}

/** The host's own where its KVM can show that. */
function qemuProcessor({ accelerator, tinyGuestsOnly, qemuCpu }: HereOptions): string {
  if (accelerator === 'wasm') return qemuCpu;
  return tinyGuestsOnly ? 'qemu64' : 'host';
}

function notes({ guestMemoryMib, guestCpus, accelerator }: HereOptions, qemu: Qemu): string[] {
  const microvm =
    accelerator === 'kvm' ? '; microvm with qboot and no legacy devices but the serial port' : '';
  const how = accelerator === 'kvm' ? 'all with KVM' : 'Vireo with its own engine, QEMU with its (TCG)';
  return [
    `Guests: ${guestMemoryMib} MiB, vCPUs: ${guestCpus}, entered by PVH. The Linux ones are Debian's cloud kernel, ` +
      `unpacked, and the default guest's initramfs. The monitors take turns, ${how}.`,
    `QEMU: -nodefaults -cpu ${qemu.cpu}${microvm}.`,
  ];
}

/** Those that need nothing of KVM but integer instructions. */
function tinyScenarios(
  monitors: readonly Monitor[],
  { guestMemoryMib, guestCpus, serialKib: kib }: HereOptions,
  directory: string,
): Scenario<Monitor>[] {
  const guest = (name: string, bytes: Uint8Array): Guest => ({
    kernel: writeGuest(join(directory, name), bytes),
    ...{ append: '', memoryMib: guestMemoryMib, cpus: guestCpus },
  });
  const polled = { kib, guest: guest('serial-polled', polledSerialGuest(kib * 1024)) };
  const string = { kib, guest: guest('serial-string', stringSerialGuest(kib * 1024)) };
  return [
    firstInstructionScenario(monitors, guest('first-instruction', firstInstructionGuest())),
    tinySerialScenario('serial-string', 'REP OUTSB of 16 bytes', monitors, string),
    tinySerialScenario('serial-polled', 'polling before each byte', monitors, polled),
  ];
}

function linuxScenarios(
  monitors: readonly Monitor[],
  { guestMemoryMib, guestCpus, serialKib }: HereOptions,
  files: LinuxFiles,
): Scenario<Monitor>[] {
  const guest = { ...files, memoryMib: guestMemoryMib, cpus: guestCpus };
  return [
    kernelScenario(monitors, guest),
    consoleScenario(monitors, guest),
    memoryScenario(monitors, guest),
    linuxSerialScenario(monitors, guest, serialKib),
  ];
}
