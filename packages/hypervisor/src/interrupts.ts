/**
 * Interrupt lines, message-signalled interrupts and their routing, in KVM's words: a GSI is a line or a message,
 * and a routing table says where each one leads (Linux KVM API §4.52 "KVM_SET_GSI_ROUTING").
 */

/** A message-signalled interrupt (Intel SDM Vol. 3A §10.11 "Message Signalled Interrupts"). */
export interface Msi {
  /** Guest physical address the message is written to, 0xFEExxxxx. */
  readonly address: bigint;
  readonly data: number;
}

export type GsiRoute =
  | {
      readonly kind: 'irqchip';
      readonly gsi: number;
      readonly chip: 'pic-master' | 'pic-slave' | 'ioapic';
      readonly pin: number;
    }
  | { readonly kind: 'msi'; readonly gsi: number; readonly msi: Msi };

/** Where devices raise interrupts. Callable from any thread that holds one. */
export interface InterruptSink {
  /** Sets the level of an interrupt line; an edge is a 1 followed by a 0. */
  setIrqLine(gsi: number, level: boolean): void;
  /** Sends a message; false when the guest blocked it. */
  signalMsi(msi: Msi): boolean;
}

/** One 8259A (Intel 8259A data sheet, "Programming the 8259A"). */
export interface PicState {
  /** Last level of each input. */
  lastIrr: number;
  irr: number;
  imr: number;
  isr: number;
  priorityAdd: number;
  irqBase: number;
  readRegisterSelect: number;
  poll: number;
  specialMask: number;
  initState: number;
  autoEoi: number;
  rotateOnAutoEoi: number;
  specialFullyNestedMode: number;
  init4: number;
  /** Edge/level control register. */
  elcr: number;
  elcrMask: number;
}

/** Its fields, in the order in which Linux's ABI has them, too (struct kvm_pic_state). */
export const PIC_STATE_FIELDS = [
  ...(['lastIrr', 'irr', 'imr', 'isr', 'priorityAdd', 'irqBase', 'readRegisterSelect', 'poll'] as const),
  ...(['specialMask', 'initState', 'autoEoi', 'rotateOnAutoEoi', 'specialFullyNestedMode'] as const),
  ...(['init4', 'elcr', 'elcrMask'] as const),
] as const satisfies readonly (keyof PicState)[];

/** The I/O APIC (Intel 82093AA data sheet §3.0 "Register Description"). */
export interface IoapicState {
  baseAddress: bigint;
  ioregsel: number;
  id: number;
  irr: number;
  /** 24 redirection table entries. */
  redirectionTable: bigint[];
}

/** One counter of the 8254 (Intel 8254 data sheet, "Programming the 8254"). */
export interface PitChannelState {
  count: number;
  latchedCount: number;
  countLatched: number;
  statusLatched: number;
  status: number;
  readState: number;
  writeState: number;
  writeLatch: number;
  rwMode: number;
  mode: number;
  bcd: number;
  gate: number;
  /** Host monotonic time in nanoseconds when the count was loaded; only meaningful on the host it was read on. */
  countLoadTime: bigint;
}

export interface PitState {
  channels: [PitChannelState, PitChannelState, PitChannelState];
}

export interface InterruptControllerState {
  version: 1;
  picMaster: PicState;
  picSlave: PicState;
  ioapic: IoapicState;
  pit: PitState;
}
