/** The engine's memory as a vCPU's thread sees it. Where guest memory is in it, the memory unit knows (memory-unit.ts). */
import { PageStates } from './page-states.ts';

/** No address of ours: what is there is no memory. */
export const NO_MEMORY = 0;

export class PhysicalMemory {
  readonly states: PageStates;
  readonly view: DataView<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer) {
    this.states = new PageStates(buffer);
    this.view = new DataView(buffer);
    this.bytes = new Uint8Array(buffer);
  }
}
