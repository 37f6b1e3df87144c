/**
 * One 8259A: requests, priorities, service, command words (Intel 8259A data sheet, "Programming the 8259A"). It is in 8086
 * mode and cascaded; edge or level is chosen for each input by the ELCR, as on a PC, not by ICW1.
 *
 * All methods need the lock; `outputs` is to be looked at after each that changes something.
 */
import { PIC_STATE_FIELDS, type PicState } from '@vireo/hypervisor/interrupts';
import { type ControllerMemory, PIC } from './controller-memory.ts';

export const PIC_INPUTS = 8;
export const NO_REQUEST = -1;

/** An INTA cycle that finds no request gets the lowest input (data sheet, "Interrupt Sequence"). */
export const SPURIOUS_INPUT = 7;

/** The words are in the order of the state's fields. */
type PicField = keyof PicState;

const FIELD_AT = Object.fromEntries(PIC_STATE_FIELDS.map((field, i) => [field, i])) as Readonly<
  Record<PicField, number>
>;

/** Which of ICW2 to ICW4 the next write of the data port is; 0 is OCW1. */
const EXPECT_OCW1 = 0;
const EXPECT_ICW2 = 1;
const EXPECT_ICW3 = 2;
const EXPECT_ICW4 = 3;

const ICW1 = 1 << 4;
const ICW1_IC4 = 1 << 0;
const ICW4_AUTO_EOI = 1 << 1;
const ICW4_SFNM = 1 << 4;
const OCW3 = 1 << 3;
const OCW3_READ = 1 << 1;
const OCW3_READ_ISR = 1 << 0;
const OCW3_POLL = 1 << 2;
const OCW3_SET_SPECIAL_MASK = 1 << 6;
const OCW3_SPECIAL_MASK = 1 << 5;

/** OCW2's three upper bits: rotate, specific, EOI. */
const OCW2_EOI = 1;
const OCW2_SPECIFIC = 2;
const OCW2_ROTATE = 4;

const POLL_INTERRUPT = 0x80;

export class Pic {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #at: number;
  readonly #elcrMask: number;
  /** In special fully nested mode, the input that does not block itself: the slave's. */
  readonly #cascade: number;

  /** `elcrMask`: inputs that may be level-triggered. `cascade`: the bit of the input that a slave leads to, or 0. */
  constructor(memory: ControllerMemory, chip: 0 | 1, elcrMask: number, cascade: number) {
    this.#words = memory.words;
    this.#at = memory.picAt(chip);
    this.#elcrMask = elcrMask;
    this.#cascade = cascade;
  }

  reset(): void {
    this.#words.fill(0, this.#at, this.#at + PIC.words);
    this.#set('elcrMask', this.#elcrMask);
  }

  setInput(input: number, level: boolean): void {
    const bit = 1 << input;
    const last = this.#get('lastIrr');
    const irr = this.#get('irr');
    this.#set('lastIrr', level ? last | bit : last & ~bit);
    if ((this.#get('elcr') & bit) !== 0) this.#set('irr', level ? irr | bit : irr & ~bit);
    // An edge stays requested when its line falls: a pulse is an interrupt.
    else if (level && (last & bit) === 0) this.#set('irr', irr | bit);
  }

  /** The slave's INT output, which is no line that keeps its edge: requested exactly while it is high. */
  setCascade(input: number, level: boolean): void {
    const bit = 1 << input;
    this.#set('irr', level ? this.#get('irr') | bit : this.#get('irr') & ~bit);
  }

  /** The input that INT is high for, or NO_REQUEST. */
  get request(): number {
    const requested = this.#first(this.#get('irr') & ~this.#get('imr'));
    if (requested === PIC_INPUTS) return NO_REQUEST;
    let inService = this.#get('isr');
    if (this.#get('specialMask') !== 0) inService &= ~this.#get('imr');
    if (this.#get('specialFullyNestedMode') !== 0) inService &= ~this.#cascade;
    return requested < this.#first(inService) ? (requested + this.#get('priorityAdd')) & 7 : NO_REQUEST;
  }

  /** The INTA cycle. @returns the input, or SPURIOUS_INPUT */
  acknowledge(): number {
    const input = this.request;
    if (input === NO_REQUEST) return SPURIOUS_INPUT;
    const bit = 1 << input;
    if ((this.#get('elcr') & bit) === 0) this.#set('irr', this.#get('irr') & ~bit);
    if (this.#get('autoEoi') === 0) this.#set('isr', this.#get('isr') | bit);
    else if (this.#get('rotateOnAutoEoi') !== 0) this.#makeLowest(input);
    return input;
  }

  vectorOf(input: number): number {
    return this.#get('irqBase') + input;
  }

  readCommand(): number {
    if (this.#takePoll()) return this.#poll();
    return this.#get(this.#get('readRegisterSelect') === 0 ? 'irr' : 'isr');
  }

  readData(): number {
    return this.#takePoll() ? this.#poll() : this.#get('imr');
  }

  writeCommand(value: number): void {
    if ((value & ICW1) !== 0) this.#initialise(value);
    else if ((value & OCW3) !== 0) this.#writeOcw3(value);
    else this.#writeOcw2(value >> 5, value & 7);
  }

  /** Data sheet, "Initialization Command Words 1 and 2", "… 3", "… 4". */
  writeData(value: number): void {
    switch (this.#get('initState')) {
      case EXPECT_ICW2:
        this.#set('irqBase', value & 0xf8);
        this.#set('initState', EXPECT_ICW3);
        return;
      case EXPECT_ICW3: // which input cascades is wired
        this.#set('initState', this.#get('init4') === 0 ? EXPECT_OCW1 : EXPECT_ICW4);
        return;
      case EXPECT_ICW4:
        this.#set('specialFullyNestedMode', (value & ICW4_SFNM) === 0 ? 0 : 1);
        this.#set('autoEoi', (value & ICW4_AUTO_EOI) === 0 ? 0 : 1);
        this.#set('initState', EXPECT_OCW1);
        return;
      default:
        this.#set('imr', value);
    }
  }

  get elcr(): number {
    return this.#get('elcr');
  }

  set elcr(value: number) {
    this.#set('elcr', value & this.#elcrMask);
  }

  getState(): PicState {
    return Object.fromEntries(
      PIC_STATE_FIELDS.map((field) => [field, this.#get(field)]),
    ) as unknown as PicState;
  }

  setState(state: PicState): void {
    for (const field of PIC_STATE_FIELDS) this.#set(field, state[field] & 0xff);
    this.#set('priorityAdd', state.priorityAdd & 7);
    this.#set('elcrMask', this.#elcrMask);
    this.elcr = state.elcr;
  }

  /** The edge sense starts anew: a line that is high must fall and rise. ICW1 clears what the data sheet's list names. */
  #initialise(icw1: number): void {
    this.#set('irr', this.#get('irr') & this.#get('elcr'));
    for (const field of [
      'imr',
      'isr',
      'priorityAdd',
      'readRegisterSelect',
      'poll',
      'specialMask',
      'autoEoi',
      'rotateOnAutoEoi',
      'specialFullyNestedMode',
    ] as const)
      this.#set(field, 0);
    this.#set('init4', icw1 & ICW1_IC4);
    this.#set('initState', EXPECT_ICW2);
  }

  /** Data sheet, "Operation Control Word 2": end of interrupt and rotation of priorities. */
  #writeOcw2(operation: number, level: number): void {
    const rotate = (operation & OCW2_ROTATE) !== 0;
    const specific = (operation & OCW2_SPECIFIC) !== 0;
    if ((operation & OCW2_EOI) === 0) {
      if (!specific) this.#set('rotateOnAutoEoi', rotate ? 1 : 0);
      else if (rotate) this.#makeLowest(level);
      return;
    }
    const first = this.#first(this.#get('isr'));
    if (!specific && first === PIC_INPUTS) return;
    const input = specific ? level : (first + this.#get('priorityAdd')) & 7;
    this.#set('isr', this.#get('isr') & ~(1 << input));
    if (rotate) this.#makeLowest(input);
  }

  #writeOcw3(value: number): void {
    if ((value & OCW3_POLL) !== 0) this.#set('poll', 1);
    if ((value & OCW3_READ) !== 0) this.#set('readRegisterSelect', value & OCW3_READ_ISR);
    if ((value & OCW3_SET_SPECIAL_MASK) !== 0)
      this.#set('specialMask', (value & OCW3_SPECIAL_MASK) === 0 ? 0 : 1);
  }

  #takePoll(): boolean {
    if (this.#get('poll') === 0) return false;
    this.#set('poll', 0);
    return true;
  }

  /** The read is the INTA cycle (data sheet, "Poll Command"). */
  #poll(): number {
    return this.request === NO_REQUEST ? 0 : POLL_INTERRUPT | this.acknowledge();
  }

  #makeLowest(input: number): void {
    this.#set('priorityAdd', (input + 1) & 7);
  }

  /** The priority (0 is highest) of the first of these inputs; PIC_INPUTS when there is none. */
  #first(inputs: number): number {
    const lowest = this.#get('priorityAdd');
    for (let priority = 0; priority < PIC_INPUTS; priority++)
      if ((inputs & (1 << ((priority + lowest) & 7))) !== 0) return priority;
    return PIC_INPUTS;
  }

  #get(field: PicField): number {
    return this.#words[this.#at + FIELD_AT[field]]!;
  }

  #set(field: PicField, value: number): void {
    this.#words[this.#at + FIELD_AT[field]] = value;
  }
}
