/**
 * The local APIC's register map: offsets in its page, and their fields (Intel SDM Vol. 3A Table 10-1 "Local APIC Register
 * Address Map"). In x2APIC mode a register is the MSR 800h plus its offset over 16 (Table 10-6 "Local APIC Register
 * Address Map Supported by x2APIC").
 */
export const APIC_PAGE_BYTES = 0x400;

export const APIC_ID = 0x20;
export const APIC_VERSION = 0x30;
export const APIC_TPR = 0x80;
export const APIC_APR = 0x90;
export const APIC_PPR = 0xa0;
export const APIC_EOI = 0xb0;
export const APIC_LDR = 0xd0;
export const APIC_DFR = 0xe0;
export const APIC_SVR = 0xf0;
export const APIC_ISR = 0x100;
export const APIC_TMR = 0x180;
export const APIC_IRR = 0x200;
export const APIC_ESR = 0x280;
export const APIC_ICR_LOW = 0x300;
export const APIC_ICR_HIGH = 0x310;
export const APIC_LVT_TIMER = 0x320;
export const APIC_LVT_THERMAL = 0x330;
export const APIC_LVT_PERFORMANCE = 0x340;
export const APIC_LVT_LINT0 = 0x350;
export const APIC_LVT_LINT1 = 0x360;
export const APIC_LVT_ERROR = 0x370;
export const APIC_INITIAL_COUNT = 0x380;
export const APIC_CURRENT_COUNT = 0x390;
export const APIC_DIVIDE = 0x3e0;
/** x2APIC only (§10.12.11 "SELF IPI Register"). */
export const APIC_SELF_IPI = 0x3f0;

/** All, in the order of their offsets. */
export const APIC_LVTS = [
  APIC_LVT_TIMER,
  APIC_LVT_THERMAL,
  APIC_LVT_PERFORMANCE,
  APIC_LVT_LINT0,
  APIC_LVT_LINT1,
  APIC_LVT_ERROR,
] as const;

/** Integrated APIC, 6 LVT entries, no suppression of EOI broadcasts (§10.4.8 "Local APIC Version Register"). */
export const APIC_VERSION_VALUE = 0x14 | ((APIC_LVTS.length - 1) << 16);

/** 8 words of 32 vectors, 16 bytes apart (§10.8.4 "Interrupt Acceptance for Fixed Interrupts"). */
export const VECTOR_WORDS = 8;
export const VECTOR_WORD_STRIDE = 0x10;

/** Below are exceptions: an illegal vector for an interrupt (§10.5.2 "Valid Interrupt Vectors"). */
export const FIRST_LEGAL_VECTOR = 16;

/** IA32_APIC_BASE (§10.12.1 "Detecting and Enabling x2APIC Mode"). */
export const APIC_BASE_BSP = 1n << 8n;
export const APIC_BASE_X2APIC = 1n << 10n;
export const APIC_BASE_ENABLE = 1n << 11n;
export const APIC_BASE_DEFAULT = 0xfee00000n;

/** §10.9 "Spurious Interrupt". */
export const SVR_ENABLE = 1 << 8;

/** §10.5.1 "Local Vector Table". */
export const LVT_DELIVERY_STATUS = 1 << 12;
export const LVT_REMOTE_IRR = 1 << 14;
export const LVT_MASKED = 1 << 16;
export const LVT_TIMER_MODE_SHIFT = 17;
export const TIMER_ONE_SHOT = 0;
export const TIMER_PERIODIC = 1;
export const TIMER_TSC_DEADLINE = 2;

/** §10.5.3 "Error Handling". */
export const ESR_SEND_ILLEGAL_VECTOR = 1 << 5;
export const ESR_RECEIVE_ILLEGAL_VECTOR = 1 << 6;
export const ESR_ILLEGAL_REGISTER = 1 << 7;

/**
 * A message's command: the fields of the interrupt command register's low half (§10.6.1 "Interrupt Command Register (ICR)").
 * A message's data and a redirection table entry's low half have vector, delivery and trigger mode at the same places.
 */
export const COMMAND_LOGICAL = 1 << 11;
export const COMMAND_ASSERT = 1 << 14;
export const COMMAND_LEVEL = 1 << 15;
export const COMMAND_SHORTHAND_SHIFT = 18;
export const SHORTHAND_NONE = 0;
export const SHORTHAND_SELF = 1;
export const SHORTHAND_ALL = 2;
export const SHORTHAND_OTHERS = 3;
export const DELIVERY_SHIFT = 8;
export const DELIVERY_MASK = 7 << DELIVERY_SHIFT;
export const DELIVERY_FIXED = 0;
export const DELIVERY_LOWEST_PRIORITY = 1;
export const DELIVERY_SMI = 2;
export const DELIVERY_NMI = 4;
export const DELIVERY_INIT = 5;
export const DELIVERY_STARTUP = 6;
export const DELIVERY_EXTINT = 7;

export function deliveryMode(command: number): number {
  return (command & DELIVERY_MASK) >> DELIVERY_SHIFT;
}

/** Every APIC, as destination of eight bits and of 32 (§10.6.2.1 "Physical Destination Mode", §10.12.9 "ICR Operation in x2APIC Mode"). */
export const BROADCAST_XAPIC = 0xff;
export const BROADCAST_X2APIC = 0xffffffff;

/** Bits of a register that software may set: others are zero, or reserved in x2APIC mode. Read-only registers are absent. */
export const APIC_WRITABLE: ReadonlyMap<number, number> = new Map([
  [APIC_TPR, 0xff],
  [APIC_EOI, 0],
  [APIC_LDR, 0xff000000],
  [APIC_DFR, 0xf0000000],
  [APIC_SVR, 0x3ff],
  [APIC_ESR, 0],
  [APIC_ICR_LOW, 0xccfff],
  [APIC_ICR_HIGH, 0xff000000],
  [APIC_LVT_TIMER, 0x700ff],
  [APIC_LVT_THERMAL, 0x107ff],
  [APIC_LVT_PERFORMANCE, 0x107ff],
  [APIC_LVT_LINT0, 0x1a7ff],
  [APIC_LVT_LINT1, 0x1a7ff],
  [APIC_LVT_ERROR, 0x100ff],
  [APIC_INITIAL_COUNT, 0xffffffff],
  [APIC_DIVIDE, 0xb],
  [APIC_SELF_IPI, 0xff],
]);

/** Bits that may be written and are not changed by it. */
export const LVT_READ_ONLY = LVT_DELIVERY_STATUS | LVT_REMOTE_IRR;
