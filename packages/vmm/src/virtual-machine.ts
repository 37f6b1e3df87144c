/** A virtual machine's life: power-on, resets, and the one outcome. The calling process is the VM's process. */
import type { Hypervisor } from '@vireo/hypervisor';
import { openAccelerator } from './accelerator.ts';
import type { VmConfig, VmOutcome } from './config.ts';
import { Machine, type MachineEnd } from './machine/machine.ts';
import { SerialConsole } from './machine/serial-console.ts';

export class VirtualMachine {
  /** Rejects with what the host refused or with our own bug. */
  readonly outcome: Promise<VmOutcome>;
  readonly #config: VmConfig;
  readonly #console: SerialConsole;
  readonly #hypervisor: Hypervisor;
  #machine: Machine;

  private constructor(config: VmConfig, console: SerialConsole, machine: Machine, hypervisor: Hypervisor) {
    this.#config = config;
    this.#console = console;
    this.#machine = machine;
    this.#hypervisor = hypervisor;
    this.outcome = this.#live().finally(() => this.#console.close());
  }

  /** Starts a machine. @throws UserError for what the user can mend, HostError for what the host refuses. */
  static async start(config: VmConfig): Promise<VirtualMachine> {
    const console = new SerialConsole(config.console);
    const machine = new Machine(config, console);
    try {
      const hypervisor = openAccelerator(config.accelerator);
      machine.start(hypervisor);
      return new VirtualMachine(config, console, machine, hypervisor);
    } catch (error) {
      machine.stop();
      await machine.ended;
      console.close();
      throw error;
    }
  }

  pressPowerButton(): void {
    this.#machine.pressPowerButton();
  }

  /** Ends the VM at once, as pulling the plug does. */
  async stop(): Promise<void> {
    this.#machine.stop();
    await this.outcome;
  }

  async #live(): Promise<VmOutcome> {
    for (;;) {
      const end = await this.#machine.ended;
      const outcome = this.#outcomeOf(end);
      if (outcome !== undefined) return outcome;
      this.#machine = new Machine(this.#config, this.#console);
      this.#machine.start(this.#hypervisor);
    }
  }

  /** Undefined when the machine starts again. */
  #outcomeOf(end: MachineEnd): VmOutcome | undefined {
    switch (end.kind) {
      case 'error':
        throw end.error;
      case 'panic':
        return { kind: 'panic', message: this.#console.panic ?? '' };
      case 'reset':
        if (this.#console.panic !== undefined) return { kind: 'panic', message: this.#console.panic };
        return this.#config.noReboot ? end : undefined;
      default:
        return end;
    }
  }
}
