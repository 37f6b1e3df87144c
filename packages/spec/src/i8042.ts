/** The keyboard controller (IBM Personal System/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller"). */

/** Status register, read at port 0x64. */
export const I8042_STR_OBF = 0x01;
export const I8042_STR_SYSTEM_FLAG = 0x04;
export const I8042_STR_COMMAND = 0x08;
/** Clear when a lock inhibits the keyboard. */
export const I8042_STR_KEYLOCK = 0x10;
export const I8042_STR_TIMEOUT = 0x40;

/** Controller command byte. */
export const I8042_CTR_KBDINT = 0x01;
export const I8042_CTR_SYSTEM_FLAG = 0x04;
export const I8042_CTR_KBDDIS = 0x10;
export const I8042_CTR_AUXDIS = 0x20;
export const I8042_CTR_XLATE = 0x40;

/** Commands, written at port 0x64. */
export const I8042_CMD_READ_RAM = 0x20; // to 0x3f; RAM 0 is the command byte
export const I8042_CMD_WRITE_RAM = 0x60; // to 0x7f
export const I8042_CMD_AUX_TEST = 0xa9;
export const I8042_CMD_SELF_TEST = 0xaa;
export const I8042_CMD_KBD_TEST = 0xab;
export const I8042_CMD_KBD_DISABLE = 0xad;
export const I8042_CMD_KBD_ENABLE = 0xae;
export const I8042_CMD_READ_INPUT_PORT = 0xc0;
export const I8042_CMD_READ_OUTPUT_PORT = 0xd0;
export const I8042_CMD_WRITE_OUTPUT_PORT = 0xd1;
export const I8042_CMD_WRITE_KBD_BUFFER = 0xd2;
export const I8042_CMD_WRITE_AUX_BUFFER = 0xd3;
export const I8042_CMD_WRITE_AUX = 0xd4;
export const I8042_CMD_PULSE_OUTPUT = 0xf0; // to 0xff

export const I8042_SELF_TEST_PASSED = 0x55;
export const I8042_KBD_TEST_PASSED = 0x00;
export const I8042_AUX_CLOCK_STUCK_LOW = 0x01;
/** What the controller puts in its buffer when no keyboard answered. */
export const I8042_RESEND = 0xfe;

/** Output port: 0 pulls the processor's reset line. */
export const I8042_OUTPUT_RESET = 0x01;
export const I8042_OUTPUT_A20 = 0x02;

/** System Control Port A, port 0x92. */
export const PORT_92_FAST_RESET = 0x01;
export const PORT_92_A20 = 0x02;
