/** The machine's I/O ports and interrupt lines; a PC's, where a PC has them. */

// I/O ports.
export const COM1_PORT = 0x3f8;
export const RTC_PORT = 0x70;
export const I8042_DATA_PORT = 0x60;
export const I8042_COMMAND_PORT = 0x64;
export const SYSTEM_CONTROL_PORT = 0x92;
export const PCI_CONFIG_PORT = 0xcf8;
/** Inside the PCI configuration ports, as on a PC. */
export const RESET_PORT = 0xcf9;
export const DEBUG_EXIT_PORT = 0xf4;
export const PVPANIC_PORT = 0x505;
/** PM1a event block, PM1a control block, PM timer. */
export const ACPI_POWER_PORT = 0x600;
export const ACPI_PM_TIMER_PORT = 0x608;
/** Where firmware's POST codes go and Linux writes for a delay. */
export const DELAY_PORTS = [0x80, 0xed] as const;

// Interrupt lines.
export const COM1_GSI = 4;
export const RTC_GSI = 8;
export const SCI_GSI = 9;
export const KEYBOARD_GSI = 1;
