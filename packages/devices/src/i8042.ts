/**
 * The PC's keyboard controller with nothing plugged in (IBM Personal System/2 Hardware Interface Technical Reference,
 * "Keyboard and Auxiliary Device Controller"). What it is for is the reset line; the rest answers at once, so that
 * drivers which probe for a keyboard find none without waiting for time-outs. There is no auxiliary (mouse) port.
 */
import * as i8042 from '@vireo/spec/i8042';
import { I8042_INITIAL_STATE, type I8042State, readI8042State } from './i8042-state.ts';
import type { InterruptLine, IoDevice } from './io-device.ts';

export interface I8042Options {
  /** The keyboard's interrupt, IRQ 1. */
  readonly line: InterruptLine;
  /** The guest pulled the processor's reset line. */
  readonly onReset: () => void;
}

export class I8042 {
  /** Port 0x60. */
  readonly data: IoDevice = {
    name: 'i8042 data',
    read: () => this.#readData(),
    write: (_offset, _sizeBytes, value) => this.#writeData(value & 0xff),
  };
  /** Port 0x64. */
  readonly command: IoDevice = {
    name: 'i8042 command',
    read: () => this.#status(),
    write: (_offset, _sizeBytes, value) => this.#writeCommand(value & 0xff),
  };
  readonly #line: InterruptLine;
  readonly #onReset: () => void;
  #state: I8042State = structuredClone(I8042_INITIAL_STATE);

  constructor(options: I8042Options) {
    this.#line = options.line;
    this.#onReset = options.onReset;
  }

  reset(): void {
    this.restore(I8042_INITIAL_STATE);
  }

  save(): I8042State {
    return structuredClone(this.#state);
  }

  /** @throws SavedStateError */
  restore(state: I8042State): void {
    this.#state = readI8042State(state);
    this.#updateLine();
  }

  #status(): number {
    const { output, timeout, lastWasCommand, ram } = this.#state;
    return (
      i8042.I8042_STR_KEYLOCK |
      (output === null ? 0 : i8042.I8042_STR_OBF) |
      (timeout ? i8042.I8042_STR_TIMEOUT : 0) |
      (lastWasCommand ? i8042.I8042_STR_COMMAND : 0) |
      (ram[0]! & i8042.I8042_CTR_SYSTEM_FLAG)
    );
  }

  #readData(): number {
    const value = this.#state.output ?? 0;
    this.#state.output = null;
    this.#state.timeout = false;
    this.#updateLine();
    return value;
  }

  #answer(value: number, timeout = false): void {
    this.#state.output = value;
    this.#state.timeout = timeout;
    this.#updateLine();
  }

  #updateLine(): void {
    const enabled = this.#state.ram[0]! & i8042.I8042_CTR_KBDINT;
    this.#line.set(this.#state.output !== null && enabled !== 0);
  }

  #writeData(value: number): void {
    const command = this.#state.pendingCommand;
    this.#state.pendingCommand = null;
    this.#state.lastWasCommand = false;
    switch (command) {
      case null: // to the keyboard, which is not there
      case i8042.I8042_CMD_WRITE_AUX:
        this.#answer(i8042.I8042_RESEND, true);
        break;
      case i8042.I8042_CMD_WRITE_OUTPUT_PORT:
        this.#state.outputPort = value;
        if (!(value & i8042.I8042_OUTPUT_RESET)) this.#onReset();
        break;
      case i8042.I8042_CMD_WRITE_KBD_BUFFER:
      case i8042.I8042_CMD_WRITE_AUX_BUFFER: // without the auxiliary flag: Linux sees that there is no such port
        this.#answer(value);
        break;
      default: // a RAM write
        this.#state.ram[command & 0x1f] = value;
        this.#updateLine();
    }
  }

  #writeCommand(command: number): void {
    const { ram } = this.#state;
    this.#state.pendingCommand = null;
    this.#state.lastWasCommand = true;
    switch (command) {
      case i8042.I8042_CMD_WRITE_OUTPUT_PORT:
      case i8042.I8042_CMD_WRITE_KBD_BUFFER:
      case i8042.I8042_CMD_WRITE_AUX_BUFFER:
      case i8042.I8042_CMD_WRITE_AUX:
        this.#state.pendingCommand = command;
        break;
      case i8042.I8042_CMD_SELF_TEST:
        ram[0]! |= i8042.I8042_CTR_SYSTEM_FLAG;
        this.#answer(i8042.I8042_SELF_TEST_PASSED);
        break;
      case i8042.I8042_CMD_KBD_TEST:
        this.#answer(i8042.I8042_KBD_TEST_PASSED);
        break;
      case i8042.I8042_CMD_AUX_TEST:
        this.#answer(i8042.I8042_AUX_CLOCK_STUCK_LOW);
        break;
      case i8042.I8042_CMD_KBD_DISABLE:
        ram[0]! |= i8042.I8042_CTR_KBDDIS;
        break;
      case i8042.I8042_CMD_KBD_ENABLE:
        ram[0]! &= ~i8042.I8042_CTR_KBDDIS;
        break;
      case i8042.I8042_CMD_READ_INPUT_PORT:
        this.#answer(0);
        break;
      case i8042.I8042_CMD_READ_OUTPUT_PORT:
        this.#answer(this.#state.outputPort);
        break;
      default:
        this.#rangedCommand(command);
    }
  }

  /** Commands that carry an operand in their low bits; others do nothing. */
  #rangedCommand(command: number): void {
    if (command >= i8042.I8042_CMD_PULSE_OUTPUT) {
      // The lines whose bits are 0 go low for 6 µs.
      if (!(command & i8042.I8042_OUTPUT_RESET)) this.#onReset();
    } else if ((command & ~0x1f) === i8042.I8042_CMD_READ_RAM) {
      this.#answer(this.#state.ram[command & 0x1f]!);
    } else if ((command & ~0x1f) === i8042.I8042_CMD_WRITE_RAM) {
      this.#state.pendingCommand = command;
    }
  }
}
