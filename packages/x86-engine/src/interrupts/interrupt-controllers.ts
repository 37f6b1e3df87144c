/**
 * The interrupt controllers and timers of one VM, the counterpart of KVM's in-kernel ones (Linux KVM API §4.24
 * "KVM_CREATE_IRQCHIP", §4.71 "KVM_CREATE_PIT2"): a local APIC for each vCPU, an I/O APIC, two 8259As, an 8254.
 *
 * Each thread makes one over the same shared memory. Every method takes the lock by itself. Time comes in through
 * `clock`; nobody here waits: some thread has to call `expire` at `nextDeadlineNs`, each vCPU's for its own timer
 * (vcpu-interrupts.ts) and any one for the PIT.
 */
import type { GsiRoute, InterruptControllerState, InterruptSink, Msi } from '@vireo/hypervisor';
import { ApicBus } from './apic-bus.ts';
import type { InterruptClock } from './clock.ts';
import { ControllerMemory, HEADER } from './controller-memory.ts';
import { checkRoutes, defaultRoutes, GsiRouting } from './gsi-routing.ts';
import { IOAPIC_GPA, IOAPIC_SIZE_BYTES, Ioapic } from './ioapic.ts';
import { LocalApic } from './lapic.ts';
import { LapicAccess } from './lapic-access.ts';
import { APIC_BASE_BSP, APIC_BASE_DEFAULT, APIC_BASE_ENABLE } from './lapic-registers.ts';
import { LapicTimer } from './lapic-timer.ts';
import { PIC_PORTS, PicPair } from './pic-pair.ts';
import { PIT_PORTS, Pit } from './pit.ts';
import { VcpuInterrupts } from './vcpu-interrupts.ts';

/** The timer's line; routes say where it leads. */
const PIT_GSI = 0;

const PORTS: ReadonlySet<number> = new Set([
  ...Object.values(PIC_PORTS),
  PIT_PORTS.channel0,
  PIT_PORTS.channel0 + 1,
  PIT_PORTS.channel0 + 2,
  PIT_PORTS.control,
  PIT_PORTS.systemControl,
]);

const DEFAULT_PHYSICAL_ADDRESS_BITS = 52;

export interface InterruptControllerOptions {
  readonly buffer: SharedArrayBuffer;
  /** Where in the buffer, a multiple of 64; 0 if not given. */
  readonly byteOffset?: number;
  /** APIC ids are 0 to one less. */
  readonly vcpus: number;
  readonly clock: InterruptClock;
  /** Called in the thread that makes a vCPU's `pending` other than it was, besides the wake. */
  readonly alert?: (apicId: number) => void;
  /** Bits of IA32_APIC_BASE above fault. */
  readonly physicalAddressBits?: number;
}

export class InterruptControllers implements InterruptSink {
  /** The words that all threads share, and where the PIT's doorbell is in them: notified when its deadline moves. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly pitDoorbellIndex = HEADER.pitDoorbell;
  readonly #memory: ControllerMemory;
  readonly #lapics: readonly LocalApic[];
  readonly #vcpus: readonly VcpuInterrupts[];
  readonly #pics: PicPair;
  readonly #ioapic: Ioapic;
  readonly #pit: Pit;
  readonly #routing: GsiRouting;

  constructor(options: InterruptControllerOptions) {
    const { clock } = options;
    const memory = new ControllerMemory(options.buffer, options.vcpus, options.byteOffset);
    if (options.alert) memory.alert = options.alert;
    this.words = memory.words;
    this.#memory = memory;
    this.#lapics = Array.from({ length: options.vcpus }, (_, id) => new LocalApic(memory, id));
    const bus = new ApicBus(memory, this.#lapics);
    this.#pics = new PicPair(memory, bus);
    this.#ioapic = new Ioapic(memory, bus);
    this.#routing = new GsiRouting(memory, bus, this.#pics, this.#ioapic);
    this.#pit = new Pit(memory, clock, () => {
      this.#routing.setLine(PIT_GSI, true);
      this.#routing.setLine(PIT_GSI, false);
    });
    const bits = options.physicalAddressBits ?? DEFAULT_PHYSICAL_ADDRESS_BITS;
    this.#vcpus = this.#lapics.map((lapic) => {
      const timer = new LapicTimer(lapic, clock);
      const access = new LapicAccess(lapic, timer, bus, this.#ioapic, bits);
      return new VcpuInterrupts(memory, lapic, timer, access, this.#pics);
    });
  }

  static sizeBytes(vcpus: number): number {
    return ControllerMemory.sizeBytes(vcpus);
  }

  /** Power-up: once for the VM, before another thread looks at the memory. */
  initialise(): void {
    this.#memory.lock.acquire();
    for (const lapic of this.#lapics) {
      lapic.apicBase = APIC_BASE_DEFAULT | APIC_BASE_ENABLE | (lapic.id === 0 ? APIC_BASE_BSP : 0n);
      lapic.resetRegisters();
    }
    this.#pics.reset();
    this.#ioapic.reset();
    this.#pit.reset();
    this.#routing.setRoutes(defaultRoutes());
    this.#memory.lock.release();
  }

  /** @throws RangeError when there is no such vCPU */
  vcpu(apicId: number): VcpuInterrupts {
    const vcpu = this.#vcpus[apicId];
    if (!vcpu) throw new RangeError(`vCPU ${apicId} does not exist`);
    return vcpu;
  }

  /** A line without a route leads nowhere. */
  setIrqLine(gsi: number, level: boolean): void {
    this.#memory.lock.acquire();
    this.#routing.setLine(gsi, level);
    this.#memory.lock.release();
  }

  signalMsi(msi: Msi): boolean {
    this.#memory.lock.acquire();
    const taken = this.#routing.send(msi.address, msi.data);
    this.#memory.lock.release();
    return taken;
  }

  /** @throws RangeError when the table cannot be set; then the old one stays */
  setGsiRouting(routes: readonly GsiRoute[]): void {
    checkRoutes(routes);
    this.#memory.lock.acquire();
    this.#routing.setRoutes(routes);
    this.#memory.lock.release();
  }

  static hasPort(port: number): boolean {
    return PORTS.has(port);
  }

  /** A port access that starts at one of ours, byte by byte as on a bus of 8 bits. */
  readPort(port: number, sizeBytes: number): number {
    this.#memory.lock.acquire();
    let value = 0;
    for (let i = 0; i < sizeBytes; i++) value |= this.#readPortByte(port + i) << (8 * i);
    this.#memory.lock.release();
    return value >>> 0;
  }

  writePort(port: number, sizeBytes: number, value: number): void {
    this.#memory.lock.acquire();
    for (let i = 0; i < sizeBytes; i++) {
      const byte = (value >>> (8 * i)) & 0xff;
      if (PORTS.has(port + i) && !this.#pics.write(port + i, byte)) this.#pit.write(port + i, byte);
    }
    this.#memory.lock.release();
  }

  /** Whether a guest physical address is the I/O APIC's. */
  static isIoapic(gpa: number): boolean {
    return gpa >= IOAPIC_GPA && gpa < IOAPIC_GPA + IOAPIC_SIZE_BYTES;
  }

  /** `offset` is from IOAPIC_GPA. */
  readIoapic(offset: number, sizeBytes: number): number {
    this.#memory.lock.acquire();
    const value = this.#ioapic.read(offset);
    this.#memory.lock.release();
    return sizeBytes >= 4 ? value >>> 0 : value & (2 ** (8 * sizeBytes) - 1);
  }

  writeIoapic(offset: number, sizeBytes: number, value: number): void {
    this.#memory.lock.acquire();
    this.#ioapic.write(offset, sizeBytes >= 4 ? value : value & (2 ** (8 * sizeBytes) - 1));
    this.#memory.lock.release();
  }

  /** When the PIT has an edge to deliver: host time, or NEVER. Without the lock. */
  get pitDeadlineNs(): bigint {
    return this.#pit.deadlineNs;
  }

  expirePit(nowNs: bigint): void {
    if (this.pitDeadlineNs > nowNs) return;
    this.#memory.lock.acquire();
    this.#pit.expire(nowNs);
    this.#memory.lock.release();
  }

  getState(): InterruptControllerState {
    this.#memory.lock.acquire();
    const state: InterruptControllerState = {
      version: 1,
      ...this.#pics.getStates(),
      ioapic: this.#ioapic.getState(),
      pit: this.#pit.getState(),
    };
    this.#memory.lock.release();
    return state;
  }

  /** @throws RangeError when the state's version is not known */
  setState(state: InterruptControllerState): void {
    if (state.version !== 1)
      throw new RangeError(`interrupt controller state of unknown version ${state.version}`);
    this.#memory.lock.acquire();
    this.#pics.setStates(state.picMaster, state.picSlave);
    this.#ioapic.setState(state.ioapic);
    this.#pit.setState(state.pit);
    this.#memory.lock.release();
  }

  #readPortByte(port: number): number {
    if (!PORTS.has(port)) return 0xff;
    return this.#pics.read(port) ?? this.#pit.read(port) ?? 0xff;
  }
}
