/**
 * What takes a message to the local APICs it is for: IPIs, messages of devices and of the I/O APIC (Intel SDM Vol. 3A
 * §10.6.2 "Determining IPI Destination").
 */
import { type ControllerMemory, HEADER } from './controller-memory.ts';
import { type LocalApic, PENDING_INIT, PENDING_NMI, PENDING_STARTUP } from './lapic.ts';
import * as apic from './lapic-registers.ts';

/** DFR's model field: all ones is the flat model, else clusters (Figure 10-14 "Destination Format Register"). */
const DFR_FLAT = 0xf;

export class ApicBus {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #lapics: readonly LocalApic[];

  constructor(memory: ControllerMemory, lapics: readonly LocalApic[]) {
    this.#words = memory.words;
    this.#lapics = lapics;
  }

  /**
   * Delivers to all APICs that the destination names, or to one of them.
   * @param command the fields of lapic-registers.ts's `COMMAND_…`, without a shorthand
   * @returns whether one took it
   */
  deliver(command: number, destination: number): boolean {
    const logical = (command & apic.COMMAND_LOGICAL) !== 0;
    if (apic.deliveryMode(command) === apic.DELIVERY_LOWEST_PRIORITY && logical)
      return this.#arbitrate(command, destination);
    let taken = false;
    for (const lapic of this.#lapics)
      if (isDestination(lapic, destination, logical) && this.deliverTo(lapic, command)) taken = true;
    return taken;
  }

  /**
   * What a write of the interrupt command register does (§10.6.1 "Interrupt Command Register (ICR)").
   * @param icr its low half
   */
  sendIpi(source: LocalApic, icr: number, destination: number): void {
    const mode = apic.deliveryMode(icr);
    const ordinary = mode === apic.DELIVERY_FIXED || mode === apic.DELIVERY_LOWEST_PRIORITY;
    if (ordinary && (icr & 0xff) < apic.FIRST_LEGAL_VECTOR) {
      source.recordError(apic.ESR_SEND_ILLEGAL_VECTOR);
      return;
    }
    // Only an INIT has a level: all other IPIs are edges, whatever the bit says.
    const command = mode === apic.DELIVERY_INIT ? icr : icr & ~apic.COMMAND_LEVEL;
    const shorthand = (icr >> apic.COMMAND_SHORTHAND_SHIFT) & 3;
    if (shorthand === apic.SHORTHAND_NONE) this.deliver(command, destination);
    else if (shorthand === apic.SHORTHAND_ALL) this.#broadcast(command);
    else if (shorthand === apic.SHORTHAND_OTHERS) this.#broadcast(command, source);
    // No processor can start or reset itself.
    else if (mode !== apic.DELIVERY_INIT && mode !== apic.DELIVERY_STARTUP) this.deliverTo(source, command);
  }

  #broadcast(command: number, except?: LocalApic): void {
    for (const lapic of this.#lapics) if (lapic !== except) this.deliverTo(lapic, command);
  }

  /** @returns whether it was taken: SMI and, from here, ExtINT are not */
  deliverTo(lapic: LocalApic, command: number): boolean {
    if (!lapic.enabled) return false;
    switch (apic.deliveryMode(command)) {
      case apic.DELIVERY_FIXED:
      case apic.DELIVERY_LOWEST_PRIORITY:
        return lapic.accept(command & 0xff, (command & apic.COMMAND_LEVEL) !== 0);
      case apic.DELIVERY_NMI:
        lapic.signal(PENDING_NMI);
        return true;
      case apic.DELIVERY_INIT:
        return deliverInit(lapic, command);
      case apic.DELIVERY_STARTUP:
        lapic.sipiVector = command & 0xff;
        lapic.signal(PENDING_STARTUP);
        return true;
      default:
        return false;
    }
  }

  /** The 8259As' INT output changed: it leads to LINT0 of every local APIC. */
  picOutput(level: boolean): void {
    this.#words[HEADER.picOutput] = level ? 1 : 0;
    for (const lapic of this.#lapics) {
      if (level) lapic.raiseLint0();
      lapic.update();
    }
  }

  /**
   * Of those named, the one whose priority is lowest takes it; of equals they take turns (§10.6.2.4 "Lowest Priority
   * Delivery Mode").
   */
  #arbitrate(command: number, destination: number): boolean {
    const lapics = this.#lapics;
    const last = this.#words[HEADER.lastArbitrated]!;
    let chosen: LocalApic | undefined;
    for (let i = 1; i <= lapics.length; i++) {
      const lapic = lapics[(last + i) % lapics.length]!;
      if (!lapic.softwareEnabled || !isDestination(lapic, destination, true)) continue;
      if (!chosen || lapic.processorPriority < chosen.processorPriority) chosen = lapic;
    }
    if (!chosen) return false;
    this.#words[HEADER.lastArbitrated] = chosen.id;
    return this.deliverTo(chosen, command);
  }
}

/** A level that is not asserted is 'INIT level de-assert', which no processor since the Pentium 4 acts on (§10.6.1). */
function deliverInit(lapic: LocalApic, command: number): boolean {
  if ((command & (apic.COMMAND_LEVEL | apic.COMMAND_ASSERT)) === apic.COMMAND_LEVEL) return false;
  // Startup IPIs sent before are void.
  lapic.takeSignals(PENDING_STARTUP);
  lapic.signal(PENDING_INIT);
  return true;
}

function isDestination(lapic: LocalApic, destination: number, logical: boolean): boolean {
  if (destination === (lapic.x2apic ? apic.BROADCAST_X2APIC : apic.BROADCAST_XAPIC)) return true;
  if (destination === apic.BROADCAST_X2APIC) return true;
  if (!logical) return destination === lapic.id;
  const id = lapic.register(apic.APIC_LDR);
  if (lapic.x2apic) return id >>> 16 === destination >>> 16 && (id & destination & 0xffff) !== 0;
  const model = lapic.register(apic.APIC_DFR) >>> 28;
  return xapicLogicalMatch(id >>> 24, destination, model);
}

/** §10.6.2.2 "Logical Destination Mode". */
function xapicLogicalMatch(id: number, destination: number, model: number): boolean {
  if (destination > 0xff) return false;
  if (model === DFR_FLAT) return (id & destination) !== 0;
  return id >> 4 === destination >> 4 && (id & destination & 0xf) !== 0;
}
