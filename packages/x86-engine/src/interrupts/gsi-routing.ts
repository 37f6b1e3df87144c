/**
 * Where interrupt lines lead: the routing table, in shared memory, since any thread raises lines (Linux KVM API §4.52
 * "KVM_SET_GSI_ROUTING"). Messages of devices are decoded here, too (Intel SDM Vol. 3A §10.11 "Message Signalled
 * Interrupts").
 *
 * All methods need the lock.
 */
import type { GsiRoute, Msi } from '@vireo/hypervisor';
import type { ApicBus } from './apic-bus.ts';
import { type ControllerMemory, HEADER, MAX_ROUTES, ROUTE } from './controller-memory.ts';
import { IOAPIC_PINS, type Ioapic } from './ioapic.ts';
import * as apic from './lapic-registers.ts';
import { PIC_INPUTS } from './pic.ts';
import type { PicPair } from './pic-pair.ts';

const ROUTE_TO_MASTER = 0;
const ROUTE_TO_SLAVE = 1;
const ROUTE_TO_IOAPIC = 2;
const ROUTE_TO_MESSAGE = 3;

const CHIPS = {
  'pic-master': ROUTE_TO_MASTER,
  'pic-slave': ROUTE_TO_SLAVE,
  ioapic: ROUTE_TO_IOAPIC,
} as const;

/** GSIs have as many numbers as there are routes. */
const GSI_MAX = MAX_ROUTES - 1;

/** GSI n leads to pin n of the I/O APIC and, below 16, to input n of the 8259As. */
export function defaultRoutes(): GsiRoute[] {
  const routes: GsiRoute[] = [];
  for (let gsi = 0; gsi < IOAPIC_PINS; gsi++) {
    routes.push({ kind: 'irqchip', gsi, chip: 'ioapic', pin: gsi });
    const chip = gsi < PIC_INPUTS ? 'pic-master' : 'pic-slave';
    if (gsi < 2 * PIC_INPUTS) routes.push({ kind: 'irqchip', gsi, chip, pin: gsi % PIC_INPUTS });
  }
  return routes;
}

/** @throws RangeError when the table cannot be set; to be called before the lock is taken */
export function checkRoutes(routes: readonly GsiRoute[]): void {
  if (routes.length > MAX_ROUTES)
    throw new RangeError(`${routes.length} interrupt routes; there can be ${MAX_ROUTES}`);
  for (const route of routes) {
    if (!isIndex(route.gsi, GSI_MAX + 1)) throw new RangeError(`GSI ${route.gsi} is not 0 to ${GSI_MAX}`);
    if (route.kind === 'msi') continue;
    const pins = route.chip === 'ioapic' ? IOAPIC_PINS : PIC_INPUTS;
    if (!isIndex(route.pin, pins))
      throw new RangeError(`GSI ${route.gsi}: ${route.chip} has no pin ${route.pin}`);
  }
}

export class GsiRouting {
  readonly #memory: ControllerMemory;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bus: ApicBus;
  readonly #pics: PicPair;
  readonly #ioapic: Ioapic;

  constructor(memory: ControllerMemory, bus: ApicBus, pics: PicPair, ioapic: Ioapic) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#bus = bus;
    this.#pics = pics;
    this.#ioapic = ioapic;
  }

  /** Replaces the table; the routes have been checked. */
  setRoutes(routes: readonly GsiRoute[]): void {
    const sorted = routes.toSorted((a, b) => a.gsi - b.gsi);
    for (const [i, route] of sorted.entries()) this.#store(this.#at(i), route);
    this.#words[HEADER.routeCount] = sorted.length;
  }

  setLine(gsi: number, level: boolean): void {
    const count = this.#words[HEADER.routeCount]!;
    for (let i = this.#firstRouteOf(gsi, count); i < count && this.#gsiOf(i) === gsi; i++)
      this.#follow(this.#at(i), level);
  }

  /** @returns whether a local APIC took it */
  send(address: bigint, data: number): boolean {
    // Destinations above FFh are in the address's high half, as KVM has it with KVM_X2APIC_API_USE_32BIT_IDS.
    const low = Number(address & 0xffffffffn);
    const destination = (((low >>> 12) & 0xff) | (Number((address >> 40n) & 0xffffffn) << 8)) >>> 0;
    const logical = (low & ADDRESS_LOGICAL) === 0 ? 0 : apic.COMMAND_LOGICAL;
    const command = (data & MESSAGE_COMMAND) | logical;
    return this.#bus.deliver(isRedirected(low, data) ? lowestPriority(command) : command, destination);
  }

  #store(at: number, route: GsiRoute): void {
    const words = this.#words;
    words[at + ROUTE.gsi] = route.gsi;
    words[at + ROUTE.kind] = route.kind === 'msi' ? ROUTE_TO_MESSAGE : CHIPS[route.chip];
    words[at + ROUTE.pin] = route.kind === 'msi' ? 0 : route.pin;
    const msi: Msi = route.kind === 'msi' ? route.msi : { address: 0n, data: 0 };
    words[at + ROUTE.data] = msi.data;
    this.#memory.writeWide(at + ROUTE.address, BigInt.asIntN(64, msi.address));
  }

  #follow(at: number, level: boolean): void {
    const words = this.#words;
    const pin = words[at + ROUTE.pin]!;
    switch (words[at + ROUTE.kind]) {
      case ROUTE_TO_MASTER:
        this.#pics.setInput(pin, level);
        break;
      case ROUTE_TO_SLAVE:
        this.#pics.setInput(PIC_INPUTS + pin, level);
        break;
      case ROUTE_TO_IOAPIC:
        this.#ioapic.setPin(pin, level);
        break;
      default:
        if (level) this.send(this.#memory.readWide(at + ROUTE.address), words[at + ROUTE.data]!);
    }
  }

  /** The table is sorted: the first whose GSI is not less. */
  #firstRouteOf(gsi: number, count: number): number {
    let low = 0;
    for (let high = count; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.#gsiOf(middle) < gsi) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #gsiOf(index: number): number {
    return this.#words[this.#at(index) + ROUTE.gsi]!;
  }

  #at(index: number): number {
    return this.#memory.routesAt + index * ROUTE.words;
  }
}

/** Fields of a message's address (§10.11.1 "Message Address Register Format"). */
const ADDRESS_LOGICAL = 1 << 2;
const ADDRESS_REDIRECTION_HINT = 1 << 3;
/** Of its data (§10.11.2 "Message Data Register Format"): vector, delivery mode, level, trigger mode. */
const MESSAGE_COMMAND = 0xc7ff;

/** The hint: to one of a logical destination's processors. */
function isRedirected(address: number, data: number): boolean {
  const hinted = ADDRESS_LOGICAL | ADDRESS_REDIRECTION_HINT;
  return (address & hinted) === hinted && apic.deliveryMode(data) === apic.DELIVERY_FIXED;
}

function lowestPriority(command: number): number {
  return command | (apic.DELIVERY_LOWEST_PRIORITY << apic.DELIVERY_SHIFT);
}

function isIndex(value: number, end: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < end;
}
