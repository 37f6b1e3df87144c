/** The PC's real-time clock (Motorola MC146818A data sheet), and where a PC keeps the century. */

export const RTC_SECONDS = 0x00;
export const RTC_SECONDS_ALARM = 0x01;
export const RTC_MINUTES = 0x02;
export const RTC_MINUTES_ALARM = 0x03;
export const RTC_HOURS = 0x04;
export const RTC_HOURS_ALARM = 0x05;
export const RTC_DAY_OF_WEEK = 0x06;
export const RTC_DAY_OF_MONTH = 0x07;
export const RTC_MONTH = 0x08;
export const RTC_YEAR = 0x09;
export const RTC_REG_A = 0x0a;
export const RTC_REG_B = 0x0b;
export const RTC_REG_C = 0x0c;
export const RTC_REG_D = 0x0d;
/** Named to the guest by the FADT's CENTURY field. */
export const RTC_CENTURY = 0x32;
export const CMOS_LENGTH_BYTES = 128;

/** Register A. */
export const REG_A_UIP = 0x80;
export const REG_A_DIVIDER_32768_HZ = 0x20;
export const REG_A_RATE_MASK = 0x0f;

/** Register B. */
export const REG_B_SET = 0x80;
export const REG_B_PIE = 0x40;
export const REG_B_AIE = 0x20;
export const REG_B_UIE = 0x10;
export const REG_B_SQWE = 0x08;
/** Data mode: set for binary, clear for BCD. */
export const REG_B_DM = 0x04;
export const REG_B_24H = 0x02;

/** Register C. */
export const REG_C_IRQF = 0x80;
export const REG_C_PF = 0x40;
export const REG_C_AF = 0x20;
export const REG_C_UF = 0x10;

/** Register D: valid RAM and time. */
export const REG_D_VRT = 0x80;

/** In the hours register, in 12-hour mode. */
export const HOURS_PM = 0x80;
/** Both bits set in an alarm register: any value matches. */
export const ALARM_DONT_CARE = 0xc0;
