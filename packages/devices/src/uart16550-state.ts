/** The saved state of the UART: its registers, and the bytes that were on the wire in either direction. */
import { FIFO_LENGTH_BYTES } from '@vireo/spec/uart16550';
import { SavedStateReader } from './saved-state.ts';
import type { SharedRing } from './shared-ring.ts';
import { type Uart16550Shared, WORD } from './uart16550-shared.ts';

export interface Uart16550State {
  version: 1;
  ier: number;
  lcr: number;
  mcr: number;
  scr: number;
  divisor: number;
  fcr: number;
  lineErrors: number;
  msr: number;
  /** 0 or 1: the THR-empty interrupt is due. */
  thrEmptyDue: number;
  /** How many bytes of `input` are in the receive FIFO. */
  arrived: number;
  loop: number[];
  input: number[];
  output: number[];
}

/** The words that are saved as they are, with the largest value each can have. */
const REGISTERS = {
  ier: 0x0f,
  lcr: 0xff,
  mcr: 0x1f,
  scr: 0xff,
  divisor: 0xffff,
  fcr: 0xff,
  lineErrors: 0x1e,
  msr: 0xff,
  thrEmptyDue: 1,
  arrived: FIFO_LENGTH_BYTES,
} as const;
const REGISTER_NAMES = Object.keys(REGISTERS) as (keyof typeof REGISTERS)[];

/** Under the lock. */
export function saveUart16550(shared: Uart16550Shared): Uart16550State {
  const registers = Object.fromEntries(REGISTER_NAMES.map((name) => [name, shared.words[WORD[name]]!]));
  return {
    version: 1,
    ...(registers as Record<keyof typeof REGISTERS, number>),
    loop: ringBytes(shared.loop),
    input: ringBytes(shared.input),
    output: ringBytes(shared.output),
  };
}

/** @throws SavedStateError, having changed nothing. */
export function restoreUart16550(shared: Uart16550Shared, state: unknown): void {
  const reader = new SavedStateReader('16550A UART', state, 1);
  const values = REGISTER_NAMES.map((name) => [WORD[name], reader.uint(name, REGISTERS[name])] as const);
  const rings = (['loop', 'input', 'output'] as const).map((name) => {
    const ring = shared[name];
    return { ring, bytes: reader.uints(name, 0xff, { maxLength: ring.capacityBytes }) };
  });
  const arrived = reader.uint('arrived', FIFO_LENGTH_BYTES);
  if (arrived > rings[1]!.bytes.length) throw reader.error('more input has arrived than there is');
  if (arrived + rings[0]!.bytes.length > FIFO_LENGTH_BYTES) throw reader.error('the receive FIFO overflows');

  shared.lock.acquire();
  for (const [index, value] of values) shared.words[index] = value;
  for (const { ring, bytes } of rings) {
    ring.clear();
    ring.copyIn(Uint8Array.from(bytes));
    ring.produce(bytes.length);
  }
  shared.lock.release();
}

function ringBytes(ring: SharedRing): number[] {
  const bytes = new Uint8Array(ring.usedBytes);
  ring.copyOut(bytes);
  return [...bytes];
}
