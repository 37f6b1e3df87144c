/** Constants of ACPI's static tables and of AML (ACPI 6.5 §5.2 "ACPI System Description Tables", §20.2 "AML Grammar Definition"). */

/** FADT (§5.2.9 "Fixed ACPI Description Table (FADT)", Table 5.10 "Fixed ACPI Description Table Fixed Feature Flags"). */
export const FADT_REVISION = 6;
export const FADT_MINOR_VERSION = 5;
export const FADT_LENGTH_BYTES = 276;
export const FADT_WBINVD = 1 << 0;
export const FADT_PROC_C1 = 1 << 2;
/** Set when there is no fixed power button. */
export const FADT_PWR_BUTTON = 1 << 4;
/** Set when there is no fixed sleep button. */
export const FADT_SLP_BUTTON = 1 << 5;
/** Set when the real-time clock is no fixed wake source. */
export const FADT_FIX_RTC = 1 << 6;
/** The PM timer has 32 bits, not 24. */
export const FADT_TMR_VAL_EXT = 1 << 8;
export const FADT_RESET_REG_SUP = 1 << 10;
/** P_LVL2_LAT and P_LVL3_LAT above these say that there is no C2 or C3. */
export const FADT_NO_C2_LATENCY = 101;
export const FADT_NO_C3_LATENCY = 1001;

/** IAPC_BOOT_ARCH (§5.2.9.3 "IA-PC Boot Architecture Flags"). */
export const IAPC_LEGACY_DEVICES = 1 << 0;
export const IAPC_8042 = 1 << 1;
export const IAPC_VGA_NOT_PRESENT = 1 << 2;
export const IAPC_PCIE_ASPM_CONTROLS = 1 << 4;

/** Generic Address Structure (§5.2.3.2 "Generic Address Structure (GAS)"). */
export const GAS_SYSTEM_IO = 1;
export const GAS_ACCESS_BYTE = 1;
export const GAS_ACCESS_WORD = 2;
export const GAS_ACCESS_DWORD = 3;

/** FACS (§5.2.10 "Firmware ACPI Control Structure (FACS)"). */
export const FACS_LENGTH_BYTES = 64;
export const FACS_VERSION = 2;

/** MADT (§5.2.12 "Multiple APIC Description Table (MADT)"). */
export const MADT_REVISION = 6;
export const MADT_PCAT_COMPAT = 1 << 0;
export const MADT_LOCAL_APIC = 0;
export const MADT_IO_APIC = 1;
export const MADT_INTERRUPT_SOURCE_OVERRIDE = 2;
export const MADT_LOCAL_APIC_NMI = 4;
export const MADT_LOCAL_X2APIC = 9;
export const MADT_LOCAL_X2APIC_NMI = 10;
export const MADT_LOCAL_APIC_ENABLED = 1 << 0;
/** APIC ids from here on need an x2APIC structure (§5.2.12.12 "Processor Local x2APIC Structure"). */
export const MADT_FIRST_X2APIC_ID = 255;
/** MPS INTI flags (§5.2.12.5, Table 5.27 "MPS INTI Flags"). */
export const MPS_INTI_ACTIVE_HIGH = 1;
export const MPS_INTI_LEVEL = 3 << 2;

/** AML opcodes (§20.2.5 "Term Objects Encoding" and §20.3 "AML Byte Stream Byte Values"). */
export const AML_ZERO_OP = 0x00;
export const AML_ONE_OP = 0x01;
export const AML_NAME_OP = 0x08;
export const AML_BYTE_PREFIX = 0x0a;
export const AML_WORD_PREFIX = 0x0b;
export const AML_DWORD_PREFIX = 0x0c;
export const AML_STRING_PREFIX = 0x0d;
export const AML_QWORD_PREFIX = 0x0e;
export const AML_SCOPE_OP = 0x10;
export const AML_BUFFER_OP = 0x11;
export const AML_PACKAGE_OP = 0x12;
export const AML_METHOD_OP = 0x14;
export const AML_DUAL_NAME_PREFIX = 0x2e;
export const AML_MULTI_NAME_PREFIX = 0x2f;
export const AML_EXT_OP_PREFIX = 0x5b;
export const AML_ROOT_CHAR = 0x5c;
export const AML_PARENT_PREFIX_CHAR = 0x5e;
export const AML_LOCAL0_OP = 0x60;
export const AML_ARG0_OP = 0x68;
export const AML_STORE_OP = 0x70;
export const AML_AND_OP = 0x7b;
export const AML_OR_OP = 0x7d;
export const AML_CREATE_DWORD_FIELD_OP = 0x8a;
export const AML_LNOT_OP = 0x92;
export const AML_LEQUAL_OP = 0x93;
export const AML_IF_OP = 0xa0;
export const AML_ELSE_OP = 0xa1;
export const AML_RETURN_OP = 0xa4;
/** After AML_EXT_OP_PREFIX. */
export const AML_DEVICE_OP = 0x82;
