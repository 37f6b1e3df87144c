/** The guest's debug registers and what a debugger of the guest asks for, which replaces them (Intel SDM Vol. 3B §17.2 "Debug Registers"). */
import type { DebugExit, GuestDebug, HardwareBreakpoint } from '@vireo/hypervisor';
import type { DebugRegisters } from '@vireo/hypervisor/vcpu-state';
import { dataBreakpoint, executeBreakpoint } from '../system/debug-breakpoints.ts';

const DR6_RESET = 0xffff_0ff0n;
const DR7_RESET = 0x400n;
/** R/W fields of DR7. */
const CONDITIONS = { execute: 0n, write: 1n, 'read-write': 3n } as const;
const LENGTHS = { 1: 0n, 2: 1n, 8: 2n, 4: 3n } as const;
const PAGE_MASK = ~0xfffn;

export class DebugState {
  /** The guest's own. */
  registers: DebugRegisters = { addresses: [0n, 0n, 0n, 0n], dr6: DR6_RESET, dr7: DR7_RESET };
  /** Whether instructions have to be looked at before they are executed. */
  hasExecuteBreakpoints = false;
  #asked: GuestDebug = {};

  set(asked: GuestDebug): void {
    this.#asked = asked;
    this.changed();
  }

  /** To be called when the guest's registers were changed. */
  changed(): void {
    this.hasExecuteBreakpoints = this.#conditions().includes(CONDITIONS.execute);
  }

  get singleStep(): boolean {
    return this.#asked.singleStep ?? false;
  }

  get softwareBreakpoints(): boolean {
    return this.#asked.softwareBreakpoints ?? false;
  }

  /** Whether breakpoints are the debugger's, who gets exits, or the guest's, which gets #DB. */
  get isDebuggers(): boolean {
    return (this.#asked.hardwareBreakpoints?.length ?? 0) > 0;
  }

  /** Pages with data breakpoints. */
  watchedPages(): ReadonlySet<bigint> {
    const { addresses } = this.#effective();
    const isData = (condition: bigint | undefined) =>
      condition === CONDITIONS.write || condition === CONDITIONS['read-write'];
    const conditions = this.#conditions();
    return new Set(addresses.filter((_, place) => isData(conditions[place])).map((it) => it & PAGE_MASK));
  }

  /** Bits of DR6 for an instruction about to be executed. */
  executes(linear: bigint): bigint {
    return executeBreakpoint(this.#effective(), linear);
  }

  accesses(gva: bigint, lengthBytes: number, isWrite: boolean): bigint {
    return dataBreakpoint(this.#effective(), gva, lengthBytes, isWrite);
  }

  exit(exception: 1 | 3, pc: bigint, dr6: bigint): DebugExit {
    return { kind: 'debug', exception, pc, dr6: DR6_RESET | dr6, dr7: this.#effective().dr7 };
  }

  /** The R/W field of each breakpoint; undefined of those that are off. */
  #conditions(): (bigint | undefined)[] {
    const { dr7 } = this.#effective();
    return [0, 1, 2, 3].map((place) => {
      const isEnabled = ((dr7 >> BigInt(place * 2)) & 3n) !== 0n;
      return isEnabled ? (dr7 >> BigInt(16 + place * 4)) & 3n : undefined;
    });
  }

  #effective(): DebugRegisters {
    const { hardwareBreakpoints = [] } = this.#asked;
    return hardwareBreakpoints.length > 0 ? asRegisters(hardwareBreakpoints) : this.registers;
  }
}

function asRegisters(breakpoints: readonly HardwareBreakpoint[]): DebugRegisters {
  let dr7 = DR7_RESET;
  const addresses: DebugRegisters['addresses'] = [0n, 0n, 0n, 0n];
  for (const [number, { address, condition, lengthBytes }] of breakpoints.entries()) {
    addresses[number] = address;
    dr7 |= 2n << BigInt(number * 2);
    dr7 |= (CONDITIONS[condition] | (LENGTHS[lengthBytes] << 2n)) << BigInt(16 + number * 4);
  }
  return { addresses, dr6: DR6_RESET, dr7 };
}
