/** The 16550 UART's registers (National Semiconductor PC16550D data sheet §8.0 "Registers", Table II). */

/** Offsets. The first two are the divisor latch while LCR's DLAB is set. */
export const UART_RBR = 0; // read: Receiver Buffer
export const UART_THR = 0; // write: Transmitter Holding
export const UART_DLL = 0; // Divisor Latch, least significant byte
export const UART_IER = 1; // Interrupt Enable
export const UART_DLM = 1; // Divisor Latch, most significant byte
export const UART_IIR = 2; // read: Interrupt Identification
export const UART_FCR = 2; // write: FIFO Control
export const UART_LCR = 3; // Line Control
export const UART_MCR = 4; // Modem Control
export const UART_LSR = 5; // Line Status
export const UART_MSR = 6; // Modem Status
export const UART_SCR = 7; // Scratch
export const UART_REGISTERS_LENGTH_BYTES = 8;

/** Interrupt Enable Register (§8.7 "Interrupt Enable Register"). */
export const IER_ERBFI = 0x01;
export const IER_ETBEI = 0x02;
export const IER_ELSI = 0x04;
export const IER_EDSSI = 0x08;

/** Interrupt Identification Register (§8.6, Table IV "Interrupt Control Functions"). */
export const IIR_MODEM_STATUS = 0x00;
export const IIR_NO_INTERRUPT = 0x01;
export const IIR_THR_EMPTY = 0x02;
export const IIR_RECEIVED_DATA_AVAILABLE = 0x04;
export const IIR_RECEIVER_LINE_STATUS = 0x06;
export const IIR_CHARACTER_TIMEOUT = 0x0c;
export const IIR_FIFOS_ENABLED = 0xc0;

/** FIFO Control Register (§8.5 "FIFO Control Register"). */
export const FCR_FIFO_ENABLE = 0x01;
export const FCR_RCVR_FIFO_RESET = 0x02;
export const FCR_XMIT_FIFO_RESET = 0x04;
export const FCR_DMA_MODE_SELECT = 0x08;
/** Position of the two bits that choose the RCVR trigger level. */
export const FCR_RCVR_TRIGGER_SHIFT = 6;
/** Bytes, by those two bits. */
export const RCVR_TRIGGER_LEVELS = [1, 4, 8, 14] as const;
export const FIFO_LENGTH_BYTES = 16;

/** Line Control Register (§8.1 "Line Control Register"). */
export const LCR_DLAB = 0x80;

/** Modem Control Register (§8.8 "Modem Control Register"). */
export const MCR_DTR = 0x01;
export const MCR_RTS = 0x02;
export const MCR_OUT1 = 0x04;
/** On a PC it lets the interrupt reach the interrupt controller. */
export const MCR_OUT2 = 0x08;
export const MCR_LOOP = 0x10;

/** Line Status Register (§8.4 "Line Status Register"). */
export const LSR_DR = 0x01;
export const LSR_OE = 0x02;
export const LSR_PE = 0x04;
export const LSR_FE = 0x08;
export const LSR_BI = 0x10;
export const LSR_THRE = 0x20;
export const LSR_TEMT = 0x40;

/** Modem Status Register (§8.9 "Modem Status Register"). */
export const MSR_DCTS = 0x01;
export const MSR_DDSR = 0x02;
export const MSR_TERI = 0x04;
export const MSR_DDCD = 0x08;
export const MSR_CTS = 0x10;
export const MSR_DSR = 0x20;
export const MSR_RI = 0x40;
export const MSR_DCD = 0x80;
