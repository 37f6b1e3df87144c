/** Where a vCPU keeps what MSRs read and write elsewhere (cpu-model/msr-file.ts). */
import type { MsrHost } from '../cpu-model/msr-file.ts';
import type { VcpuInterrupts } from '../interrupts/vcpu-interrupts.ts';
import type { ClockMsrs } from './clock-msrs.ts';
import type { CpuSpecialRegisters } from './cpu-registers.ts';

const CR0_PG = 1n << 31n;

/** What of a vCPU that is. */
export interface MsrHolder {
  readonly special: CpuSpecialRegisters;
  readonly clock: ClockMsrs;
  readonly interrupts: VcpuInterrupts | null;
  kernelGsBase: bigint;
  invalidateTranslations(which: 'all' | 'non-global'): void;
}

export class VcpuMsrHost implements MsrHost {
  readonly #core: MsrHolder;

  constructor(core: MsrHolder) {
    this.#core = core;
  }

  get tsc() {
    return this.#core.clock.tsc;
  }

  get interrupts() {
    return this.#core.interrupts;
  }

  get efer(): bigint {
    return this.#core.special.efer;
  }

  set efer(value: bigint) {
    this.#core.special.efer = value;
    this.#core.invalidateTranslations('all');
  }

  get pagingEnabled(): boolean {
    return (this.#core.special.cr0 & CR0_PG) !== 0n;
  }

  get fsBase(): bigint {
    return this.#core.special.fs.base;
  }

  set fsBase(base: bigint) {
    this.#core.special.fs = { ...this.#core.special.fs, base };
  }

  get gsBase(): bigint {
    return this.#core.special.gs.base;
  }

  set gsBase(base: bigint) {
    this.#core.special.gs = { ...this.#core.special.gs, base };
  }

  get kernelGsBase(): bigint {
    return this.#core.kernelGsBase;
  }

  set kernelGsBase(base: bigint) {
    this.#core.kernelGsBase = base;
  }

  tscMoved(): void {
    this.#core.interrupts?.tscMoved();
    this.#core.clock.update();
  }

  systemTimeMoved(gpa: bigint | undefined): void {
    this.#core.clock.move(gpa);
  }

  wallClockAsked(gpa: bigint): void {
    this.#core.clock.writeWallClock(gpa);
  }
}
