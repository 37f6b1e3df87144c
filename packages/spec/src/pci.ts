/**
 * PCI configuration space (PCI Express Base Specification 5.0 §7.5.1 "PCI-Compatible Configuration Registers", §7.7.2
 * "MSI-X Capability and Table Structure"), under the names that the field uses for its registers.
 */

export const PCI_CONFIG_SPACE_SIZE_BYTES = 4096;
export const PCI_DEVICES_PER_BUS = 32;
export const PCI_FUNCTIONS_PER_DEVICE = 8;
/** What a read of an absent function's vendor id gives. */
export const PCI_VENDOR_ID_ABSENT = 0xffff;

// Registers of both header types.
export const PCI_VENDOR_ID = 0x00;
export const PCI_DEVICE_ID = 0x02;
export const PCI_COMMAND = 0x04;
export const PCI_STATUS = 0x06;
export const PCI_REVISION_ID = 0x08;
export const PCI_CLASS_CODE = 0x09; // 24 bits
export const PCI_CACHE_LINE_SIZE = 0x0c;
export const PCI_HEADER_TYPE = 0x0e;
export const PCI_BASE_ADDRESS_0 = 0x10;
export const PCI_CAPABILITY_POINTER = 0x34;
export const PCI_INTERRUPT_LINE = 0x3c;
export const PCI_INTERRUPT_PIN = 0x3d;

// Type 0 header.
export const PCI_SUBSYSTEM_VENDOR_ID = 0x2c;
export const PCI_SUBSYSTEM_ID = 0x2e;
export const PCI_TYPE0_BARS = 6;

// Type 1 header (§7.5.1.3 "Type 1 Configuration Space Header").
export const PCI_PRIMARY_BUS = 0x18;
export const PCI_SECONDARY_BUS = 0x19;
export const PCI_SUBORDINATE_BUS = 0x1a;
export const PCI_IO_BASE = 0x1c;
export const PCI_SECONDARY_STATUS = 0x1e;
export const PCI_MEMORY_BASE = 0x20;
export const PCI_PREFETCHABLE_BASE = 0x24;
export const PCI_PREFETCHABLE_BASE_UPPER = 0x28;
export const PCI_PREFETCHABLE_LIMIT_UPPER = 0x2c;
export const PCI_IO_BASE_UPPER = 0x30;
export const PCI_BRIDGE_CONTROL = 0x3e;

export const PCI_HEADER_TYPE_NORMAL = 0;
export const PCI_HEADER_TYPE_BRIDGE = 1;
export const PCI_HEADER_MULTI_FUNCTION = 0x80;

// Command register.
export const PCI_COMMAND_IO = 1 << 0;
export const PCI_COMMAND_MEMORY = 1 << 1;
export const PCI_COMMAND_MASTER = 1 << 2;
export const PCI_COMMAND_PARITY = 1 << 6;
export const PCI_COMMAND_SERR = 1 << 8;
export const PCI_COMMAND_INTX_DISABLE = 1 << 10;

// Status register.
export const PCI_STATUS_INTERRUPT = 1 << 3;
export const PCI_STATUS_CAP_LIST = 1 << 4;
/** The error bits, which a written 1 clears. */
export const PCI_STATUS_ERRORS = 0xf900;

// Base address registers.
export const PCI_BASE_ADDRESS_SPACE_IO = 0x01;
export const PCI_BASE_ADDRESS_MEM_TYPE_64 = 0x04;
export const PCI_BASE_ADDRESS_MEM_PREFETCH = 0x08;

// Capabilities.
export const PCI_FIRST_CAPABILITY = 0x40;
export const PCI_CAP_ID_VNDR = 0x09;
export const PCI_CAP_ID_MSIX = 0x11;

// MSI-X, offsets in the capability.
export const PCI_MSIX_FLAGS = 2;
export const PCI_MSIX_TABLE = 4;
export const PCI_MSIX_PBA = 8;
export const PCI_MSIX_FLAGS_QSIZE = 0x07ff;
export const PCI_MSIX_FLAGS_MASKALL = 0x4000;
export const PCI_MSIX_FLAGS_ENABLE = 0x8000;
// Offsets in a table entry.
export const PCI_MSIX_ENTRY_SIZE_BYTES = 16;
export const PCI_MSIX_ENTRY_LOWER_ADDR = 0;
export const PCI_MSIX_ENTRY_UPPER_ADDR = 4;
export const PCI_MSIX_ENTRY_DATA = 8;
export const PCI_MSIX_ENTRY_VECTOR_CTRL = 12;
export const PCI_MSIX_ENTRY_CTRL_MASKBIT = 1;

// Configuration mechanism #1 (PCI Local Bus Specification 3.0 §3.2.2.3.2 "Software Generation of Configuration Transactions").
export const PCI_CONFIG_ADDRESS_ENABLE = 0x8000_0000;

export const PCI_CLASS_BRIDGE_HOST = 0x06_0000;
export const PCI_CLASS_BRIDGE_PCI = 0x06_0400;

/** Red Hat's ids for virtual devices (QEMU docs/specs/pci-ids.rst). */
export const PCI_VENDOR_ID_REDHAT = 0x1b36;
export const PCI_DEVICE_ID_REDHAT_PCIE_HOST = 0x0008;
