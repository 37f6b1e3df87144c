/** A virtual machine's life: power-on, resets, and the one outcome. The calling process is the VM's process. */
import type { Hypervisor } from '@vireo/hypervisor';
import { openAccelerator } from './accelerator.ts';
import type { VmConfig, VmOutcome } from './config.ts';
import { checkAcceleratorLimits, checkHost } from './host-limits.ts';
import { BootFiles } from './machine/boot-files.ts';
import { Machine, type MachineEnd } from './machine/machine.ts';
import { SerialConsole } from './machine/serial-console.ts';
import { UndefinedInstructions } from './vcpu/undefined-instructions.ts';
import type { VcpuThread } from './vcpu/vcpu-thread.ts';

interface Parts {
  readonly console: SerialConsole;
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  readonly files: BootFiles;
  readonly undefinedInstructions: UndefinedInstructions | undefined;
}

export class VirtualMachine {
  /** Rejects with what the host refused or with our own bug. */
  readonly outcome: Promise<VmOutcome>;
  readonly #config: VmConfig;
  readonly #console: SerialConsole;
  readonly #hypervisor: Hypervisor;
  readonly #files: BootFiles;
  readonly #undefinedInstructions: UndefinedInstructions | undefined;
  readonly #stopRequested = Promise.withResolvers<'stopped'>();
  #machine: Machine;

  private constructor(config: VmConfig, parts: Parts) {
    this.#config = config;
    this.#console = parts.console;
    this.#machine = parts.machine;
    this.#hypervisor = parts.hypervisor;
    this.#files = parts.files;
    this.#undefinedInstructions = parts.undefinedInstructions;
    this.outcome = this.#live().finally(() => this.#release());
  }

  /**
   * Starts a machine, on threads that were made for its vCPUs before, if any.
   * @throws UserError for what the user can mend, HostError for what the host refuses.
   */
  static async start(config: VmConfig, threads?: VcpuThread[]): Promise<VirtualMachine> {
    checkHost(config);
    const console = new SerialConsole();
    const { verbose, onNotice } = config;
    const undefinedInstructions = verbose && onNotice ? new UndefinedInstructions(onNotice) : undefined;
    const machine = new Machine(config, console, { threads, undefinedInstructions });
    let files: BootFiles | undefined;
    let hypervisor: Hypervisor | undefined;
    try {
      files = await BootFiles.open(config);
      hypervisor = await openAccelerator(config.accelerator, onNotice);
      checkAcceleratorLimits(config, hypervisor);
      machine.start(hypervisor, files);
      console.connect(config.console());
      return new VirtualMachine(config, { console, machine, hypervisor, files, undefinedInstructions });
    } catch (error) {
      machine.stop();
      await machine.ended;
      hypervisor?.close();
      files?.close();
      console.close();
      throw error;
    }
  }

  pressPowerButton(): void {
    this.#machine.pressPowerButton();
  }

  /** Ends the VM at once, as pulling the plug does. */
  async stop(): Promise<void> {
    this.#stopRequested.resolve('stopped');
    this.#machine.stop();
    await this.outcome;
  }

  async #live(): Promise<VmOutcome> {
    for (;;) {
      const outcome = this.#outcomeOf(await this.#machine.ended);
      if (outcome !== undefined) return outcome;
      // What a guest prints at each of its resets waits here for its reader, not in memory.
      const next = await Promise.race([this.#stopRequested.promise, this.#console.ready()]);
      if (next === 'stopped') return { kind: 'stopped' };
      this.#machine = new Machine(this.#config, this.#console, {
        undefinedInstructions: this.#undefinedInstructions,
      });
      try {
        this.#machine.start(this.#hypervisor, this.#files);
      } catch (error) {
        this.#machine.stop();
        await this.#machine.ended;
        throw error;
      }
    }
  }

  /** Undefined when the machine starts again. */
  #outcomeOf(end: MachineEnd): VmOutcome | undefined {
    switch (end.kind) {
      case 'error':
        throw end.error;
      case 'panic':
        return { kind: 'panic', message: this.#console.panic ?? 'its console does not say why' };
      case 'reset':
        // A kernel that panics is told to reset at once (panic=-1).
        if (this.#console.panic !== undefined) return { kind: 'panic', message: this.#console.panic };
        return this.#config.noReboot ? end : undefined;
      default:
        return end;
    }
  }

  #release(): void {
    this.#console.close();
    this.#files.close();
    this.#hypervisor.close();
  }
}
