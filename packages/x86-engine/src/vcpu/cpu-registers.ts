/**
 * A vCPU's registers, as the system's side sees them (system/processor.ts): general registers are in the vCPU's state,
 * where the interpreter works on them; segments and control registers are here, and what the interpreter needs of them is
 * put into the state by `applyMode`.
 */
import {
  type DescriptorTable,
  GENERAL_REGISTER_NAMES,
  type GeneralRegisters,
  type Segment,
  type SegmentName,
  type SpecialRegisters,
} from '@vireo/hypervisor/vcpu-state';
import { offsetOf } from '../cpu-state.ts';
import { FLAG_BIT, setStatusFlags } from '../status-flags.ts';

const STATUS_FLAGS = Object.values(FLAG_BIT).reduce((bits, bit) => bits | (1n << BigInt(bit)), 0n);
const ALWAYS_SET = 2n;

/** The general registers, RIP and RFLAGS, in the vCPU's state. */
export interface StateRegisters extends GeneralRegisters {}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the sixteen registers are accessors that a loop defines below.
export class StateRegisters {
  readonly #state: DataView;
  readonly #statusFlags: () => number;
  /** Called when RFLAGS is set, with the bits that have changed. */
  onFlags: (changed: bigint) => void = () => {};

  /** `statusFlags` computes the six from the state. */
  constructor(state: DataView, statusFlags: () => number) {
    this.#state = state;
    this.#statusFlags = statusFlags;
  }

  get rip(): bigint {
    return this.#state.getBigUint64(offsetOf('rip'), true);
  }

  set rip(value: bigint) {
    this.#state.setBigUint64(offsetOf('rip'), value, true);
  }

  get rflags(): bigint {
    return this.otherFlags | BigInt(this.#statusFlags());
  }

  set rflags(value: bigint) {
    const other = (value & ~STATUS_FLAGS) | ALWAYS_SET;
    const changed = other ^ this.otherFlags;
    setStatusFlags(this.#state, Number(value & 0xffffn));
    this.#state.setBigUint64(offsetOf('otherFlags'), other, true);
    if (changed !== 0n) this.onFlags(changed);
  }

  /** RFLAGS but for the status flags. */
  get otherFlags(): bigint {
    return this.#state.getBigUint64(offsetOf('otherFlags'), true);
  }

  register(number: number): bigint {
    return this.#state.getBigUint64(offsetOf('general') + number * 8, true);
  }

  setRegister(number: number, value: bigint): void {
    this.#state.setBigUint64(offsetOf('general') + number * 8, value, true);
  }

  values(): GeneralRegisters {
    const names = [...GENERAL_REGISTER_NAMES, 'rip', 'rflags'] as const;
    return Object.fromEntries(names.map((name) => [name, this[name]])) as GeneralRegisters;
  }
}

for (const [number, name] of GENERAL_REGISTER_NAMES.entries())
  Object.defineProperty(StateRegisters.prototype, name, {
    get(this: StateRegisters) {
      return this.register(number);
    },
    set(this: StateRegisters, value: bigint) {
      this.setRegister(number, value);
    },
  });

const SEGMENTS = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr', 'ldt'] as const satisfies readonly SegmentName[];
const CONTROLS = ['cr0', 'cr3', 'cr4', 'efer'] as const;

const segment = (type: number, nonSystem = true): Segment => ({
  ...{ selector: 0, base: 0n, limit: 0xffff, type, nonSystem, dpl: 0, present: true, available: false },
  ...{ long: false, defaultBig: false, granularity: false, unusable: false },
});

/** What of the local APIC is among the special registers. */
export interface ApicRegisters {
  /** CR8 is its upper four bits. */
  taskPriority: number;
  readonly apicBase: bigint;
  setApicBase(value: bigint): void;
}

/**
 * Segments and control registers. `modeChanged` says that one was set that the interpreter's state depends on; task
 * priority and APIC base are the interrupt controllers'.
 */
export interface CpuSpecialRegisters extends SpecialRegisters {}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: segments and control registers are accessors that its static block defines.
export class CpuSpecialRegisters {
  modeChanged = true;
  readonly #segments: Record<SegmentName, Segment>;
  readonly #controls = { cr0: 0x6000_0010n, cr3: 0n, cr4: 0n, efer: 0n };
  cr2 = 0n;
  gdt: DescriptorTable = { base: 0n, limit: 0xffff };
  idt: DescriptorTable = { base: 0n, limit: 0xffff };

  readonly #apic: ApicRegisters;

  /** As a reset leaves them (Intel SDM Vol. 3A §9.1.1 "Processor State After Reset", Table 9-1). */
  constructor(apic: ApicRegisters) {
    this.#apic = apic;
    const data = segment(3);
    this.#segments = {
      cs: { ...segment(11), selector: 0xf000, base: 0xffff_0000n },
      ...{ ds: data, es: data, fs: data, gs: data, ss: data },
      tr: segment(11, false),
      ldt: segment(2, false),
    };
  }

  get cr8(): bigint {
    return BigInt(this.#apic.taskPriority >> 4);
  }

  set cr8(value: bigint) {
    this.#apic.taskPriority = Number(value & 15n) << 4;
  }

  get apicBase(): bigint {
    return this.#apic.apicBase;
  }

  set apicBase(value: bigint) {
    this.#apic.setApicBase(value);
  }

  /** A copy that nothing changes. */
  values(): SpecialRegisters {
    const segments = SEGMENTS.map((name) => [name, { ...this.#segments[name] }]);
    return {
      ...(Object.fromEntries(segments) as Record<SegmentName, Segment>),
      ...this.#controls,
      ...{ cr2: this.cr2, cr8: this.cr8, apicBase: this.apicBase },
      ...{ gdt: { ...this.gdt }, idt: { ...this.idt } },
    };
  }

  static {
    for (const name of SEGMENTS)
      Object.defineProperty(CpuSpecialRegisters.prototype, name, {
        enumerable: true,
        get(this: CpuSpecialRegisters) {
          return this.#segments[name];
        },
        set(this: CpuSpecialRegisters, value: Segment) {
          this.#segments[name] = value;
          this.modeChanged = true;
        },
      });
    for (const name of CONTROLS)
      Object.defineProperty(CpuSpecialRegisters.prototype, name, {
        enumerable: true,
        get(this: CpuSpecialRegisters) {
          return this.#controls[name];
        },
        set(this: CpuSpecialRegisters, value: bigint) {
          this.#controls[name] = value;
          this.modeChanged = true;
        },
      });
  }
}
