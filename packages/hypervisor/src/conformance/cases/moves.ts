/**
 * The move of a guest in the middle of its run: state saved, through its JSON form, restored into a new VM with the
 * same memory, of the same accelerator or of another. The guest must end as one that was never disturbed.
 */
import assert from 'node:assert/strict';
import type { VcpuExit } from '../../exits.ts';
import { clockStateFormat, interruptControllerStateFormat, vcpuStateFormat } from '../../state-json.ts';
import type { GeneralRegisters, VcpuState } from '../../vcpu-state.ts';
import type { CaseContext } from '../case-context.ts';
import { exitValue, isDone, isReport } from '../exit-data.ts';
import type { Machine, MachineOptions } from '../machine.ts';

export interface Scenario {
  readonly options: MachineOptions;
  /** Done to the machine before it runs. */
  readonly prepare?: (machine: Machine) => void;
  /** Whether the move happens at this exit, after it was served. */
  readonly stopAt: (exit: VcpuExit) => boolean;
  /** Serves what is neither a report nor the end. Made once for a guest, before and after its move. */
  readonly makeServe?: () => (exit: VcpuExit, play: Play) => boolean;
  /** Done after the stop, to the machine that goes on. */
  readonly goOn?: (machine: Machine) => void;
}

/** One guest's run, on one machine or on one after the other. */
export class Play {
  readonly reports: number[] = [];
  machine: Machine;
  readonly #scenario: Scenario;
  readonly #serve: (exit: VcpuExit, play: Play) => boolean;

  constructor(machine: Machine, scenario: Scenario) {
    this.machine = machine;
    this.#scenario = scenario;
    this.#serve = scenario.makeServe?.() ?? (() => false);
    scenario.prepare?.(machine);
  }

  /** Runs to the stop, and finishes what the guest was doing there. */
  runToStop(): void {
    for (;;) {
      const exit = this.machine.runOnce();
      const stops = this.#scenario.stopAt(exit);
      const ended = this.#take(exit);
      if (stops) break;
      assert.ok(!ended, 'the guest ended before its stop');
    }
    this.#complete();
  }

  goOn(): void {
    this.#scenario.goOn?.(this.machine);
  }

  /** Runs to the end; the registers there. */
  finish(): GeneralRegisters {
    while (!this.#take(this.machine.runOnce()));
    this.#complete();
    return this.machine.cpu.getRegisters();
  }

  #complete(): void {
    for (;;) {
      const exit = this.machine.cpu.completeExit();
      if (exit.kind === 'interrupted') return;
      this.#take(exit);
    }
  }

  #take(exit: VcpuExit): boolean {
    if (exit.kind === 'interrupted') return false;
    if (isDone(exit)) return true;
    if (isReport(exit)) this.reports.push(Number(exitValue(exit)));
    else if (!this.#serve(exit, this)) throw this.machine.unexpected(exit, 'an exit of the scenario');
    return false;
  }
}

/** A new machine with the memory and the state of another; the program is already in the memory. */
export function moveToNewMachine(t: CaseContext, from: Machine, options: MachineOptions): Machine {
  const state = from.cpu.save();
  const to = moveAllButVcpus(t, from, options);
  to.openBare().restore(throughJson(state));
  return to;
}

/** Memory, clock and interrupt controllers, with which the vCPUs' states are to be restored. */
export function moveAllButVcpus(
  t: CaseContext,
  from: Machine,
  options: MachineOptions,
  vcpus: readonly number[] = [0],
): Machine {
  const to = t.destination.machine(options);
  const { sizeBytes } = from.backing;
  to.memory.write(0, from.memory.view(0, sizeBytes));
  to.vm.setClock(clockStateFormat.decode(clockStateFormat.encode(from.vm.getClock())));
  if (options.interruptControllers !== 'in-kernel') return to;
  const controllers = interruptControllerStateFormat.encode(from.vm.getInterruptControllers());
  // An interrupt that waits there is sent at once, to a vCPU that exists.
  for (const id of vcpus) to.handle(id);
  to.vm.setInterruptControllers(interruptControllerStateFormat.decode(controllers));
  return to;
}

export function throughJson(state: VcpuState): VcpuState {
  return vcpuStateFormat.decode(vcpuStateFormat.encode(state));
}

/** Plays a scenario undisturbed and with a move, and compares. */
export function compareMoved(t: CaseContext, scenario: Scenario): void {
  const undisturbed = new Play(t.machine(scenario.options), scenario);
  undisturbed.runToStop();
  undisturbed.goOn();
  const expected = undisturbed.finish();

  const moved = new Play(t.machine(scenario.options), scenario);
  moved.runToStop();
  moved.machine = moveToNewMachine(t, moved.machine, scenario.options);
  moved.goOn();
  const actual = moved.finish();

  assert.deepEqual(moved.reports, undisturbed.reports);
  assert.deepEqual(actual, expected);
  const { sizeBytes } = undisturbed.machine.backing;
  const same = Buffer.compare(
    moved.machine.memory.view(0, sizeBytes),
    undisturbed.machine.memory.view(0, sizeBytes),
  );
  assert.equal(same, 0, 'the memories differ');
}
