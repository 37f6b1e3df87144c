/** The FADT: fixed hardware, and what of a PC there is (ACPI 6.5 §5.2.9 "Fixed ACPI Description Table (FADT)"). */
import { PM_TMR_LEN_BYTES, PM1_CNT_LEN_BYTES, PM1_EVT_LEN_BYTES } from '@vireo/spec/acpi';
import * as spec from '@vireo/spec/acpi-tables';
import { RTC_CENTURY } from '@vireo/spec/rtc';
import { ascii, type Bytes, joined, padded, u16, u32, u64 } from './bytes.ts';
import { type AcpiLayout, RESET_VALUE } from './layout.ts';
import { SDT_HEADER_LENGTH_BYTES, systemDescriptionTable } from './sdt.ts';

const FLAGS =
  spec.FADT_WBINVD |
  spec.FADT_PROC_C1 |
  spec.FADT_SLP_BUTTON |
  spec.FADT_FIX_RTC |
  spec.FADT_TMR_VAL_EXT |
  spec.FADT_RESET_REG_SUP;

/** Fields by their offsets in the table; all others are 0. */
export function fadt(layout: AcpiLayout, facsGpa: number, dsdtGpa: number): Uint8Array {
  const { ports } = layout;
  const pm1aControl = ports.pm1a + PM1_EVT_LEN_BYTES;
  const fields: [offset: number, bytes: Bytes][] = [
    [36, u32(facsGpa)], // FIRMWARE_CTRL
    [40, u32(dsdtGpa)], // DSDT
    [46, u16(layout.sciGsi)], // SCI_INT
    [56, u32(ports.pm1a)], // PM1a_EVT_BLK
    [64, u32(pm1aControl)], // PM1a_CNT_BLK
    [76, u32(ports.pmTimer)], // PM_TMR_BLK
    [88, [PM1_EVT_LEN_BYTES]], // PM1_EVT_LEN
    [89, [PM1_CNT_LEN_BYTES]], // PM1_CNT_LEN
    [91, [PM_TMR_LEN_BYTES]], // PM_TMR_LEN
    [96, u16(spec.FADT_NO_C2_LATENCY)], // P_LVL2_LAT
    [98, u16(spec.FADT_NO_C3_LATENCY)], // P_LVL3_LAT
    [108, [RTC_CENTURY]], // CENTURY
    [109, u16(bootArchitecture(layout))], // IAPC_BOOT_ARCH
    [112, u32(FLAGS)], // Flags
    [116, ioRegister(ports.resetControl, 1, spec.GAS_ACCESS_BYTE)], // RESET_REG
    [128, [RESET_VALUE]], // RESET_VALUE
    [131, [spec.FADT_MINOR_VERSION]], // FADT Minor Version
    [140, u64(dsdtGpa)], // X_DSDT
    [148, ioRegister(ports.pm1a, PM1_EVT_LEN_BYTES, spec.GAS_ACCESS_WORD)], // X_PM1a_EVT_BLK
    [172, ioRegister(pm1aControl, PM1_CNT_LEN_BYTES, spec.GAS_ACCESS_WORD)], // X_PM1a_CNT_BLK
    [208, ioRegister(ports.pmTimer, PM_TMR_LEN_BYTES, spec.GAS_ACCESS_DWORD)], // X_PM_TMR_BLK
    [268, padded(ascii('VIREO'), 8)], // Hypervisor Vendor Identity
  ];
  const body = new Array<number>(spec.FADT_LENGTH_BYTES - SDT_HEADER_LENGTH_BYTES).fill(0);
  for (const [offset, bytes] of fields) {
    for (const [i, byte] of bytes.entries()) body[offset - SDT_HEADER_LENGTH_BYTES + i] = byte;
  }
  return systemDescriptionTable('FACP', spec.FADT_REVISION, body);
}

function bootArchitecture({ i8042 }: AcpiLayout): number {
  const always = spec.IAPC_LEGACY_DEVICES | spec.IAPC_VGA_NOT_PRESENT | spec.IAPC_PCIE_ASPM_CONTROLS;
  return always | (i8042 ? spec.IAPC_8042 : 0);
}

/** A Generic Address Structure in I/O space. */
function ioRegister(port: number, lengthBytes: number, accessSize: number): Bytes {
  return joined([spec.GAS_SYSTEM_IO, 8 * lengthBytes, 0, accessSize], u64(port));
}
