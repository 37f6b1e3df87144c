/**
 * The devices that a vCPU's thread serves itself, because a guest touches them on every character it prints or every
 * step of its boot: the UART, the PM timer, the delay port. Each thread has objects of its own over shared state.
 */
import { AcpiPmTimer } from '@vireo/devices/acpi-pm-timer';
import type { Bus } from '@vireo/devices/bus';
import { Uart16550 } from '@vireo/devices/uart16550';
import type { InterruptSink } from '@vireo/hypervisor';
import { ACPI_PM_TIMER_PORT, COM1_GSI, COM1_PORT, DELAY_PORTS } from './ports.ts';

export interface LocalDevices {
  readonly uart: SharedArrayBuffer;
  readonly interrupts: InterruptSink;
  readonly wakeHost: () => void;
  readonly pmTimerEpochNs: bigint;
}

export function attachLocalDevices(
  ports: Bus,
  { uart, interrupts, wakeHost, pmTimerEpochNs }: LocalDevices,
): void {
  const line = { set: (level: boolean) => interrupts.setIrqLine(COM1_GSI, level) };
  ports.attach(COM1_PORT, 8, new Uart16550({ shared: uart, line, wakeHost }));
  ports.attach(ACPI_PM_TIMER_PORT, 4, new AcpiPmTimer(() => process.hrtime.bigint() - pmTimerEpochNs));
  for (const port of DELAY_PORTS) ports.attach(port, 1, DELAY);
}

/** Writes to these take the time of a bus cycle on a PC; here the exit is delay enough. */
const DELAY = { name: 'delay port', read: () => 0xff, write: () => {} };
