export * from './acpi.ts';
export * from './acpi-tables.ts';
export * from './i8042.ts';
export * from './pci.ts';
export * from './pvpanic.ts';
export * from './reset-control.ts';
export * from './rtc.ts';
export * from './uart16550.ts';
