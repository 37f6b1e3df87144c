/** ACPI's fixed hardware and tables (Advanced Configuration and Power Interface Specification 6.5). */

/** PM1 Status Register bits (§4.8.4.1.1, Table 4.11 "PM1 Status Registers Fixed Hardware Feature Status Bits"). */
export const TMR_STS = 1 << 0;
export const BM_STS = 1 << 4;
export const GBL_STS = 1 << 5;
export const PWRBTN_STS = 1 << 8;
export const SLPBTN_STS = 1 << 9;
export const RTC_STS = 1 << 10;
export const PCIEXP_WAKE_STS = 1 << 14;
export const WAK_STS = 1 << 15;

/** PM1 Enable Register bits (§4.8.4.1.2). */
export const TMR_EN = 1 << 0;
export const GBL_EN = 1 << 5;
export const PWRBTN_EN = 1 << 8;
export const SLPBTN_EN = 1 << 9;
export const RTC_EN = 1 << 10;
export const PCIEXP_WAKE_DIS = 1 << 14;

/** PM1 Control Register bits (§4.8.4.2.1 "PM1 Control Registers"). */
export const SCI_EN = 1 << 0;
export const BM_RLD = 1 << 1;
export const GBL_RLS = 1 << 2;
export const SLP_TYP_SHIFT = 10;
export const SLP_TYP_MASK = 7;
export const SLP_EN = 1 << 13;

/** Offsets in the PM1 event block (status, then enable) and lengths of the blocks (§4.8.4 "Fixed Hardware Register Blocks"). */
export const PM1_STS_OFFSET = 0;
export const PM1_EN_OFFSET = 2;
export const PM1_EVT_LEN_BYTES = 4;
export const PM1_CNT_LEN_BYTES = 2;
export const PM_TMR_LEN_BYTES = 4;

/** The power management timer's frequency (§4.8.3.1 "Power Management Timer"). */
export const PM_TIMER_FREQUENCY_HZ = 3_579_545;
