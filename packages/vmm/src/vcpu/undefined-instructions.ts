/**
 * Tells whoever wants to know (`--verbose`) which instructions the engine lacks. The guest decides how often it executes
 * them, and a user program of its can: so each vCPU's thread tells of each once, of a bounded number, and the VM's
 * process prints a bounded number of lines in the VM's life.
 */
import type { UndefinedInstruction } from './worker-protocol.ts';

export const MOST_PER_VCPU = 16;
export const MOST_LINES = 32;

/** In the vCPU's thread: posts what was not posted yet. */
export function onceEach(
  post: (instruction: UndefinedInstruction) => void,
): (instruction: UndefinedInstruction) => void {
  const posted = new Set<string>();
  return (instruction) => {
    const key = keyOf(instruction);
    if (posted.size >= MOST_PER_VCPU || posted.has(key)) return;
    posted.add(key);
    post(instruction);
  };
}

/** In the VM's main thread, through all resets. */
export class UndefinedInstructions {
  readonly #printed = new Set<string>();
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  report(vcpu: number, instruction: UndefinedInstruction): void {
    const key = keyOf(instruction);
    if (this.#printed.size >= MOST_LINES || this.#printed.has(key)) return;
    this.#printed.add(key);
    const { gva, text } = instruction;
    const at = `at 0x${gva.toString(16)}`;
    this.#print(
      text === ''
        ? `vCPU ${vcpu}: #UD ${at}, where no memory is.`
        : `vCPU ${vcpu}: #UD ${at}, where no instruction of the engine's is: ${text}.`,
    );
    if (this.#printed.size === MOST_LINES) this.#print('No more of these are shown.');
  }
}

const keyOf = ({ gva, text }: UndefinedInstruction): string => `${gva} ${text}`;
