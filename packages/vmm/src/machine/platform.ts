/** The devices that live in the main thread, wired to buses and interrupt lines. */
import { SLP_TYP_S5 } from '@vireo/devices/acpi/layout';
import { AcpiPower } from '@vireo/devices/acpi-power';
import { Bus } from '@vireo/devices/bus';
import { CmosRtc } from '@vireo/devices/cmos-rtc';
import { DebugExit } from '@vireo/devices/debug-exit';
import { I8042 } from '@vireo/devices/i8042';
import { PciConfigPorts, PciEcam } from '@vireo/devices/pci/config-access';
import { PciHostBridge } from '@vireo/devices/pci/host-bridge';
import { Pvpanic } from '@vireo/devices/pvpanic';
import { ResetControl } from '@vireo/devices/reset-control';
import { SystemControlPort } from '@vireo/devices/system-control-port';
import type { Timers } from '@vireo/devices/timers';
import type { InterruptSink } from '@vireo/hypervisor';
import type { DeviceAccess } from '../vcpu/mailbox.ts';
import { ECAM } from './layout.ts';
import * as ports from './ports.ts';

/** What the guest asks of the machine as a whole. */
export type MachineRequest =
  | { readonly kind: 'power-off' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'panic' }
  | { readonly kind: 'debug-exit'; readonly value: number };

const HOST_TIMERS: Timers = {
  setTimeout: (ms, callback) => setTimeout(callback, ms),
  clear: (handle) => clearTimeout(handle as NodeJS.Timeout),
};

export class Platform {
  readonly power: AcpiPower;
  readonly pci = new PciHostBridge();
  readonly #clock: CmosRtc;
  readonly #ports = new Bus('I/O ports');
  readonly #mmio = new Bus('MMIO');

  constructor(interrupts: InterruptSink, onRequest: (request: MachineRequest) => void) {
    const line = (gsi: number) => ({ set: (level: boolean) => interrupts.setIrqLine(gsi, level) });
    const reset = () => onRequest({ kind: 'reset' });
    this.power = new AcpiPower({
      sci: line(ports.SCI_GSI),
      onSleep: (type) => {
        if (type === SLP_TYP_S5) onRequest({ kind: 'power-off' });
      },
    });
    const keyboard = new I8042({ line: line(ports.KEYBOARD_GSI), onReset: reset });
    this.#clock = new CmosRtc({ clock: Date.now, timers: HOST_TIMERS, line: line(ports.RTC_GSI) });
    const at = this.#ports;
    at.attach(ports.RTC_PORT, CmosRtc.lengthBytes, this.#clock);
    at.attach(ports.ACPI_POWER_PORT, AcpiPower.lengthBytes, this.power);
    at.attach(ports.I8042_DATA_PORT, 1, keyboard.data);
    at.attach(ports.I8042_COMMAND_PORT, 1, keyboard.command);
    at.attach(ports.SYSTEM_CONTROL_PORT, 1, new SystemControlPort(reset));
    at.attach(
      ports.PCI_CONFIG_PORT,
      PciConfigPorts.lengthBytes,
      new PciConfigPorts(this.pci, new ResetControl(reset)),
    );
    this.#mmio.attach(ECAM.gpa, ECAM.sizeBytes, new PciEcam(this.pci));
    at.attach(
      ports.DEBUG_EXIT_PORT,
      DebugExit.lengthBytes,
      new DebugExit((value) => onRequest({ kind: 'debug-exit', value })),
    );
    at.attach(
      ports.PVPANIC_PORT,
      Pvpanic.lengthBytes,
      new Pvpanic((event) => {
        if (event === 'panicked') onRequest({ kind: 'panic' });
      }),
    );
  }

  /** Nothing of it calls back any more. */
  close(): void {
    this.#clock.close();
  }

  /** Serves a vCPU's access; the value read, or 0. */
  serve(access: DeviceAccess): number {
    const bus = access.isMmio ? this.#mmio : this.#ports;
    if (!access.isWrite) return bus.read(access.address, access.sizeBytes);
    bus.write(access.address, access.sizeBytes, access.value);
    return 0;
  }
}
