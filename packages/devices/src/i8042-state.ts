/** The saved state of the keyboard controller. */
import * as i8042 from '@vireo/spec/i8042';
import { SavedStateReader } from './saved-state.ts';

export interface I8042State {
  version: 1;
  /** 32 bytes; the first is the command byte. */
  ram: number[];
  outputPort: number;
  /** The command whose operand comes next at the data port. */
  pendingCommand: number | null;
  /** The output buffer, null when it is empty. */
  output: number | null;
  /** `output` says that no keyboard answered. */
  timeout: boolean;
  lastWasCommand: boolean;
}

const RAM_LENGTH_BYTES = 32;

/** As firmware leaves it: self-test passed, translation and the keyboard's interrupt on, A20 open. */
export const I8042_INITIAL_STATE: Readonly<I8042State> = {
  version: 1,
  ram: [
    i8042.I8042_CTR_KBDINT | i8042.I8042_CTR_SYSTEM_FLAG | i8042.I8042_CTR_AUXDIS | i8042.I8042_CTR_XLATE,
    ...new Array<number>(RAM_LENGTH_BYTES - 1).fill(0),
  ],
  outputPort: i8042.I8042_OUTPUT_RESET | i8042.I8042_OUTPUT_A20,
  pendingCommand: null,
  output: null,
  timeout: false,
  lastWasCommand: false,
};

/** Commands that take an operand. */
function takesOperand(command: number): boolean {
  const isRamWrite = (command & ~0x1f) === i8042.I8042_CMD_WRITE_RAM;
  return isRamWrite || (command >= i8042.I8042_CMD_WRITE_OUTPUT_PORT && command <= i8042.I8042_CMD_WRITE_AUX);
}

/** @throws SavedStateError */
export function readI8042State(state: unknown): I8042State {
  const reader = new SavedStateReader('i8042', state, 1);
  const byteOrNull = (name: string) => (reader.field(name) === null ? null : reader.uint(name, 0xff));
  const pendingCommand = byteOrNull('pendingCommand');
  if (pendingCommand !== null && !takesOperand(pendingCommand)) {
    throw reader.error(`pendingCommand ${pendingCommand} takes no operand`);
  }
  return {
    version: 1,
    ram: reader.uints('ram', 0xff, { length: RAM_LENGTH_BYTES }),
    outputPort: reader.uint('outputPort', 0xff),
    pendingCommand,
    output: byteOrNull('output'),
    timeout: reader.bool('timeout'),
    lastWasCommand: reader.bool('lastWasCommand'),
  };
}
