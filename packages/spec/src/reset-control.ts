/** The reset control register at port 0xCF9 (Intel I/O Controller Hub 9 data sheet §13.7.5 "RST_CNT—Reset Control Register"). */
export const RST_CNT_SYS_RST = 0x02;
export const RST_CNT_RST_CPU = 0x04;
export const RST_CNT_FULL_RST = 0x08;
