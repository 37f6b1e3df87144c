/**
 * One power cycle of the machine: from power-on, with fresh memory, devices and vCPU threads, to the first thing
 * that ends it. A guest that resets gets a new one.
 */
import { initialRegisters, type LoadedKernel, loadLinux } from '@vireo/boot';
import { Uart16550 } from '@vireo/devices/uart16550';
import type { Hypervisor, Vm } from '@vireo/hypervisor';
import { availableParallelism } from '@vireo/linux/host';
import { HostError } from '@vireo/linux/host-error';
import type { VcpuFailure, VmConfig } from '../config.ts';
import { checkAddressWidth } from '../host-limits.ts';
import { ExitServer } from '../vcpu/exit-server.ts';
import { HostMailbox, mailboxBuffer } from '../vcpu/mailbox.ts';
import type { UndefinedInstructions } from '../vcpu/undefined-instructions.ts';
import { makeVcpuThreads, type VcpuThread } from '../vcpu/vcpu-thread.ts';
import type { VcpuEnd } from '../vcpu/worker-protocol.ts';
import { writeAcpiTables } from './acpi.ts';
import type { BootFiles } from './boot-files.ts';
import { cpuidFor, FIRMWARE_MSRS, physicalAddressBits } from './cpu-model.ts';
import { pcGsiRoutes } from './gsi-routing.ts';
import { GuestRam } from './guest-ram.ts';
import { memoryMap } from './layout.ts';
import { type MachineRequest, Platform } from './platform.ts';
import { COM1_GSI } from './ports.ts';
import type { SerialConsole } from './serial-console.ts';

/** Threads that wait for each other's answers only gain by looking for them where both have a processor. */
const SPINS = availableParallelism() > 1;

/** Why a power cycle ended. */
export type MachineEnd =
  | MachineRequest
  | VcpuFailure
  /** The host refused something, or our own bug. */
  | { readonly kind: 'error'; readonly error: unknown }
  | { readonly kind: 'stopped' };

export interface MachineParts {
  /** One for each vCPU, which load in parallel with what follows. */
  readonly threads?: readonly VcpuThread[] | undefined;
  /** Told of what the engine lacks, when somebody wants to know. */
  readonly undefinedInstructions?: UndefinedInstructions | undefined;
}

export class Machine {
  /** Settles when everything of the power cycle is gone. */
  readonly ended: Promise<MachineEnd>;
  readonly #config: VmConfig;
  readonly #console: SerialConsole;
  readonly #mailboxes: SharedArrayBuffer;
  readonly #mailbox: HostMailbox;
  readonly #uart = new SharedArrayBuffer(Uart16550.sharedSizeBytes);
  readonly #threads: readonly VcpuThread[];
  readonly #undefinedInstructions: UndefinedInstructions | undefined;
  readonly #first = Promise.withResolvers<MachineEnd>();
  /** Nothing is started and no device is used any more. */
  #over = false;
  #platform: Platform | undefined;
  #server: ExitServer | undefined;
  #ram: GuestRam | undefined;
  #vm: Vm | undefined;

  constructor(config: VmConfig, console: SerialConsole, parts: MachineParts = {}) {
    this.#config = config;
    this.#console = console;
    Uart16550.initialise(this.#uart);
    this.#mailboxes = mailboxBuffer(config.cpus);
    this.#mailbox = new HostMailbox(this.#mailboxes, config.cpus);
    this.#threads = parts.threads ?? makeVcpuThreads(config.cpus);
    this.#undefinedInstructions = parts.undefinedInstructions;
    for (const thread of this.#threads) thread.ended.then((end) => this.#vcpuEnded(thread.id, end));
    this.ended = this.#first.promise.then((end) => this.#tearDown(end));
  }

  /**
   * Starts the vCPUs, unless the machine has ended: a thread may have failed to load.
   * @throws UserError, HostError; the machine must then be stopped all the same.
   */
  start(hypervisor: Hypervisor, files: BootFiles): void {
    if (this.#over) return;
    const config = this.#config;
    const supported = hypervisor.supportedCpuid();
    const addressBits = physicalAddressBits(supported);
    checkAddressWidth(config.memoryBytes, addressBits);
    this.#ram = new GuestRam(config.memoryBytes, hypervisor.name === 'wasm' ? 'file' : 'anonymous');
    const loaded = this.#load(this.#ram, files, addressBits);
    const vm = hypervisor.createVm({ interruptControllers: 'in-kernel' });
    this.#vm = vm;
    vm.setGsiRouting(pcGsiRoutes());
    this.#ram.mapInto(vm);
    this.#attachDevices(vm);
    const model = {
      supported,
      cpus: config.cpus,
      tscDeadlineTimer: hypervisor.capabilities.tscDeadlineTimer,
    };
    const entry = initialRegisters(loaded);
    const pmTimerEpochNs = process.hrtime.bigint();
    for (const thread of this.#threads) {
      thread.onUndefined = (instruction) => this.#undefinedInstructions?.report(thread.id, instruction);
      thread.start(vm.createVcpu(thread.id), this.#mailbox, {
        mailbox: this.#mailboxes,
        spins: SPINS,
        uart: this.#uart,
        cpuid: cpuidFor(thread.id, model),
        msrs: FIRMWARE_MSRS,
        registers: thread.id === 0 ? { general: entry.registers, special: entry.special } : null,
        pmTimerEpochNs,
        reportsUndefined: this.#undefinedInstructions !== undefined,
      });
    }
  }

  pressPowerButton(): void {
    if (!this.#over) this.#platform?.power.pressPowerButton();
  }

  /** Ends the power cycle now. */
  stop(): void {
    this.#first.resolve({ kind: 'stopped' });
  }

  #load(ram: GuestRam, { kernel, initrd }: BootFiles, addressBits: number): LoadedKernel {
    const { commandLine, cpus, memoryBytes } = this.#config;
    return loadLinux({
      memory: ram.memory,
      kernel,
      initrd,
      commandLine,
      memoryMap: memoryMap(memoryBytes),
      rsdpGpa: writeAcpiTables(ram.memory, { cpus, memoryBytes, addressBits }),
      memoryIsZero: true,
    });
  }

  #attachDevices(vm: Vm): void {
    const platform = new Platform(vm, (request) => this.#first.resolve(request));
    this.#platform = platform;
    const line = { set: (level: boolean) => vm.setIrqLine(COM1_GSI, level) };
    // This thread's own accesses may find that the guest has made room for input.
    const wakeHost = () => this.#mailbox.ring();
    this.#console.attach(new Uart16550({ shared: this.#uart, line, wakeHost }));
    this.#server = new ExitServer({
      mailbox: this.#mailbox,
      spins: SPINS,
      serve: (access) => platform.serve(access),
      collect: () => this.#console.collect(),
      onError: (error) => this.#first.resolve({ kind: 'error', error }),
    });
    void this.#server.run();
  }

  #vcpuEnded(vcpu: number, end: VcpuEnd): void {
    switch (end.kind) {
      case 'stopped':
        this.#first.resolve({ kind: 'stopped' });
        break;
      case 'failed':
        this.#first.resolve({ kind: end.failure, vcpu, message: end.message, registers: end.registers });
        break;
      case 'refused':
        this.#first.resolve({ kind: 'error', error: new HostError(end.call, end.errno, end.details) });
        break;
      case 'error':
        this.#first.resolve(end);
    }
  }

  /** In the order in which parts use each other; the last output of the guest is kept. */
  async #tearDown(end: MachineEnd): Promise<MachineEnd> {
    this.#over = true;
    await Promise.all(this.#threads.map((thread) => thread.stop()));
    this.#server?.stop();
    this.#platform?.close();
    this.#console.detach();
    this.#vm?.close();
    this.#ram?.close();
    return end;
  }
}
