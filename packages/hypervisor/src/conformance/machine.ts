/** One small virtual machine of a case: RAM, a program, and vCPU 0 in the case's own thread when it is asked for. */
import { GuestMemory, type MemoryBacking } from '@vireo/guest-memory';
import type { MemorySlot, Vcpu, VcpuHandle, Vm, VmOptions } from '../contract.ts';
import type { IoExit, MmioExit, VcpuExit } from '../exits.ts';
import type { CpuidEntry } from '../vcpu-state.ts';
import { type Assembler, assemble, type Program } from './assembler.ts';
import { describeExit, exitValue, hex, isDone, isReport } from './exit-data.ts';
import { CODE, CODE_BITS, type GuestMode, RAM_BYTES, writeGate, writeTables } from './guest-layout.ts';
import type { ConformanceSubject } from './subject.ts';
import { setUpVcpu, type VcpuSetup } from './vcpu-setup.ts';
import type { Watchdog } from './watchdog.ts';

export interface MachineOptions extends VmOptions {
  /** Default 'long'. */
  readonly mode?: GuestMode;
  /** Assembled at `CODE`, where vCPU 0 starts. */
  readonly code: (a: Assembler) => void;
  /** Labels that interrupts and exceptions lead to, by vector; privilege level 3 may use them too with `userVectors`. */
  readonly vectors?: Readonly<Record<number, string>>;
  readonly userVectors?: Readonly<Record<number, string>>;
  /** Bytes of the slot 0 at guest physical address 0. */
  readonly ramBytes?: number;
  /** Other properties of slot 0. */
  readonly slot?: Partial<MemorySlot>;
  /** Changes what CPUID shows. */
  readonly cpuid?: (entries: CpuidEntry[]) => CpuidEntry[];
}

export interface RunOptions {
  /** Serves other exits than reports; false for those it does not expect. */
  readonly serve?: (exit: VcpuExit) => boolean;
  /** Called with each value reported, before the guest goes on. */
  readonly onReport?: (value: number, reports: readonly number[]) => void;
}

export class Machine {
  readonly vm: Vm;
  readonly mode: GuestMode;
  readonly memory: GuestMemory;
  readonly program: Program;
  readonly backing: MemoryBacking;
  readonly #options: MachineOptions;
  readonly #subject: ConformanceSubject;
  readonly #watchdog: Watchdog | undefined;
  readonly #handles = new Map<number, VcpuHandle>();
  readonly #backings: MemoryBacking[] = [];
  #cpu: Vcpu | undefined;
  #lastExit: VcpuExit | undefined;

  constructor(subject: ConformanceSubject, watchdog: Watchdog | undefined, options: MachineOptions) {
    const { mode = 'long', ramBytes = RAM_BYTES } = options;
    this.mode = mode;
    this.#options = options;
    this.#subject = subject;
    this.#watchdog = watchdog;
    this.backing = this.allocate(ramBytes);
    const region = { gpa: 0, sizeBytes: ramBytes, backing: this.backing, backingOffset: 0, readonly: false };
    this.memory = new GuestMemory([region]);
    this.program = assemble({ origin: CODE, bits: CODE_BITS[mode] }, options.code);
    this.memory.write(CODE, this.program.bytes);
    writeTables(this.memory, mode);
    for (const [vector, label] of Object.entries(options.vectors ?? {})) this.setGate(Number(vector), label);
    for (const [vector, label] of Object.entries(options.userVectors ?? {}))
      this.setGate(Number(vector), label, 3);
    this.vm = subject.hypervisor.createVm(options);
    this.vm.setMemorySlot({ ...this.slot, ...options.slot });
  }

  /** Slot 0, for changing it. */
  get slot(): MemorySlot {
    return { id: 0, gpa: 0, sizeBytes: this.backing.sizeBytes, backing: this.backing, backingOffset: 0 };
  }

  /** vCPU 0, opened in this thread and ready to start at `CODE`. */
  get cpu(): Vcpu {
    this.#cpu ??= this.#open({ ...this.setup(), start: { mode: this.mode, entry: CODE } });
    return this.#cpu;
  }

  /** vCPU 0 as the reset leaves it, for a state to be restored into. */
  openBare(): Vcpu {
    this.#cpu = this.handle(0).open();
    return this.#cpu;
  }

  setup(): VcpuSetup {
    const { guestCpuid, hypervisor } = this.#subject;
    const supported = guestCpuid?.map((entry) => ({ ...entry })) ?? hypervisor.supportedCpuid();
    return { cpuid: this.#options.cpuid?.(supported) ?? supported };
  }

  handle(id: number): VcpuHandle {
    let handle = this.#handles.get(id);
    if (handle === undefined) {
      handle = this.vm.createVcpu(id);
      this.#handles.set(id, handle);
      this.#watchdog?.watch(handle.seed);
    }
    return handle;
  }

  /** More memory, freed with the machine. */
  allocate(sizeBytes: number): MemoryBacking {
    const backing = this.#subject.allocate(sizeBytes);
    this.#backings.push(backing);
    return backing;
  }

  setGate(vector: number, label: string, dpl = 0): void {
    writeGate(this.memory, this.mode, vector, this.program.address(label), dpl);
  }

  /** Runs vCPU 0 to its next exit, whatever it is. */
  runOnce(): VcpuExit {
    this.#lastExit = this.cpu.run();
    if (this.#lastExit.kind === 'interrupted') this.checkTime();
    return this.#lastExit;
  }

  /** Runs vCPU 0 to its next exit that is not 'interrupted'. */
  run(): VcpuExit {
    for (;;) {
      const exit = this.runOnce();
      if (exit.kind !== 'interrupted') return exit;
    }
  }

  /** Runs the guest to its end; what it reported. */
  finish({ serve = () => false, onReport }: RunOptions = {}): number[] {
    const reports: number[] = [];
    for (;;) {
      const exit = this.run();
      if (isReport(exit)) {
        reports.push(Number(exitValue(exit)));
        onReport?.(reports.at(-1)!, reports);
      } else if (isDone(exit)) return reports;
      else if (!serve(exit)) throw this.unexpected(exit, 'the guest to report or to end');
    }
  }

  expect<K extends VcpuExit['kind']>(kind: K): Extract<VcpuExit, { kind: K }> {
    const exit = this.run();
    if (exit.kind !== kind) throw this.unexpected(exit, kind);
    return exit as Extract<VcpuExit, { kind: K }>;
  }

  expectIo(direction: IoExit['direction'], port: number): IoExit {
    const exit = this.run();
    if (exit.kind === 'io' && exit.direction === direction && exit.port === port) return exit;
    throw this.unexpected(exit, `${direction} on port ${hex(port)}`);
  }

  expectMmio(direction: MmioExit['direction'], gpa: number, lengthBytes: number): MmioExit {
    const exit = this.run();
    const matches = exit.kind === 'mmio' && exit.direction === direction;
    if (matches && exit.gpa === gpa && exit.lengthBytes === lengthBytes) return exit;
    throw this.unexpected(exit, `mmio ${direction} of ${lengthBytes} bytes at ${hex(gpa)}`);
  }

  expectDone(): void {
    const exit = this.run();
    if (!isDone(exit)) throw this.unexpected(exit, 'the guest to end');
  }

  unexpected(exit: VcpuExit, expected: string): Error {
    return new Error(`expected ${expected}, got ${describeExit(exit)}`);
  }

  /** @throws Error when the case has run for too long: the watchdog's kicks end `run`. */
  checkTime(): void {
    if (this.#watchdog?.expired) throw new Error('the guest did not come to its end in time');
  }

  /** For a failure: registers of vCPU 0 and its last exit, if this thread opened it. */
  describe(): string | undefined {
    if (this.#cpu === undefined) return undefined;
    const registers = Object.entries(this.#cpu.getRegisters());
    const { cs, cr0, cr2, cr3, cr4, efer } = this.#cpu.getSpecialRegisters();
    const system = Object.entries({ cs: cs.selector, cr0, cr2, cr3, cr4, efer });
    const lines = [...registers, ...system].map(([name, value]) => `${name} ${hex(value)}`);
    const exit = this.#lastExit === undefined ? 'none' : describeExit(this.#lastExit);
    return `vCPU 0: ${lines.join(', ')}; last exit: ${exit}`;
  }

  /** After every vCPU opened elsewhere was closed there. */
  close(): void {
    this.#cpu?.close();
    for (const handle of this.#handles.values()) handle.close();
    this.vm.close();
    for (const backing of this.#backings) this.#subject.free(backing);
  }

  #open(setup: VcpuSetup): Vcpu {
    const vcpu = this.handle(0).open();
    setUpVcpu(vcpu, setup);
    return vcpu;
  }
}
