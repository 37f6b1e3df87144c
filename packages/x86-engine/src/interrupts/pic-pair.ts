/**
 * The two 8259As of a PC, the slave's INT at the master's input 2, with the edge/level control registers of the ICH9
 * (Intel I/O Controller Hub 9 data sheet §13.4 "8259 Interrupt Controller (PIC) Registers").
 *
 * All methods need the lock.
 */
import type { PicState } from '@vireo/hypervisor';
import type { ApicBus } from './apic-bus.ts';
import { type ControllerMemory, HEADER } from './controller-memory.ts';
import { NO_REQUEST, PIC_INPUTS, Pic } from './pic.ts';

const CASCADE = 2;

/** Timer, keyboard, cascade; clock and coprocessor error: edges always. */
const MASTER_ELCR_MASK = 0xf8;
const SLAVE_ELCR_MASK = 0xde;

export const PIC_PORTS = {
  masterCommand: 0x20,
  masterData: 0x21,
  slaveCommand: 0xa0,
  slaveData: 0xa1,
  masterElcr: 0x4d0,
  slaveElcr: 0x4d1,
} as const;

export class PicPair {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bus: ApicBus;
  readonly #master: Pic;
  readonly #slave: Pic;

  constructor(memory: ControllerMemory, bus: ApicBus) {
    this.#words = memory.words;
    this.#bus = bus;
    this.#master = new Pic(memory, 0, MASTER_ELCR_MASK, 1 << CASCADE);
    this.#slave = new Pic(memory, 1, SLAVE_ELCR_MASK, 0);
  }

  reset(): void {
    this.#master.reset();
    this.#slave.reset();
    this.#propagate();
  }

  /** Inputs 0 to 15; the cascade is no one's. */
  setInput(input: number, level: boolean): void {
    if (input === CASCADE) return;
    if (input < PIC_INPUTS) this.#master.setInput(input, level);
    else this.#slave.setInput(input - PIC_INPUTS, level);
    this.#propagate();
  }

  /** Two INTA pulses (Intel 8259A data sheet, "Interrupt Sequence"). @returns the vector */
  acknowledge(): number {
    const input = this.#master.acknowledge();
    const vector =
      input === CASCADE ? this.#slave.vectorOf(this.#slave.acknowledge()) : this.#master.vectorOf(input);
    this.#propagate();
    return vector;
  }

  /** @returns undefined for a port that is not the controllers' */
  read(port: number): number | undefined {
    const value = this.#read(port);
    this.#propagate(); // a poll is an INTA cycle
    return value;
  }

  /** @returns whether the port is the controllers' */
  write(port: number, value: number): boolean {
    switch (port) {
      case PIC_PORTS.masterCommand:
        this.#master.writeCommand(value);
        break;
      case PIC_PORTS.masterData:
        this.#master.writeData(value);
        break;
      case PIC_PORTS.slaveCommand:
        this.#slave.writeCommand(value);
        break;
      case PIC_PORTS.slaveData:
        this.#slave.writeData(value);
        break;
      case PIC_PORTS.masterElcr:
        this.#master.elcr = value;
        break;
      case PIC_PORTS.slaveElcr:
        this.#slave.elcr = value;
        break;
      default:
        return false;
    }
    this.#propagate();
    return true;
  }

  getStates(): { picMaster: PicState; picSlave: PicState } {
    return { picMaster: this.#master.getState(), picSlave: this.#slave.getState() };
  }

  setStates(master: PicState, slave: PicState): void {
    this.#master.setState(master);
    this.#slave.setState(slave);
    this.#propagate();
  }

  #read(port: number): number | undefined {
    switch (port) {
      case PIC_PORTS.masterCommand:
        return this.#master.readCommand();
      case PIC_PORTS.masterData:
        return this.#master.readData();
      case PIC_PORTS.slaveCommand:
        return this.#slave.readCommand();
      case PIC_PORTS.slaveData:
        return this.#slave.readData();
      case PIC_PORTS.masterElcr:
        return this.#master.elcr;
      case PIC_PORTS.slaveElcr:
        return this.#slave.elcr;
      default:
        return undefined;
    }
  }

  /** INT of the slave to the master, INT of the master to the processors. */
  #propagate(): void {
    this.#master.setCascade(CASCADE, this.#slave.request !== NO_REQUEST);
    const output = this.#master.request !== NO_REQUEST;
    if (output !== (this.#words[HEADER.picOutput] !== 0)) this.#bus.picOutput(output);
  }
}
