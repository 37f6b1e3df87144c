/** Stops the interpreter behind an instruction, wherever it goes from there. */
import { RECORD, RECORD_BYTES } from '../record.ts';
import { PENDING, type VcpuControl } from './vcpu-control.ts';

export class InstructionEnd {
  readonly #view: DataView;
  readonly #control: VcpuControl;
  readonly #stopHandler: number;
  /** Where the handler of the record behind it is, and what it was; 0: nothing is to be stopped. */
  #at = 0;
  #handler = 0;

  constructor(view: DataView, control: VcpuControl, stopHandler: number) {
    this.#view = view;
    this.#control = control;
    this.#stopHandler = stopHandler;
  }

  /** What goes on with the next record finds a handler that stops; what jumps or repeats finds something pending. */
  after(record: number): void {
    if (this.#at !== 0) return;
    this.#at = record + RECORD_BYTES + RECORD.handler;
    this.#handler = this.#view.getUint32(this.#at, true);
    this.#view.setUint32(this.#at, this.#stopHandler, true);
    this.#control.setPending(PENDING.end);
  }

  /** To be called when the interpreter has returned. @returns whether an instruction was to be stopped behind */
  settle(): boolean {
    if (this.#at === 0) return false;
    this.#view.setUint32(this.#at, this.#handler, true);
    this.#control.clearPending(PENDING.end);
    this.#at = 0;
    return true;
  }
}
