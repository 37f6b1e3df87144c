/** Guests whose interrupt handlers say which vector they are, and messages to interrupt them with. */
import type { Msi } from '../../interrupts.ts';
import { type Assembler, rax } from '../assembler.ts';
import { done, enableLapic, lapicEoi, report } from '../guest-code.ts';
import type { Machine, MachineOptions } from '../machine.ts';

export const NEEDS = ['in-kernel-interrupt-controllers'] as const;

export const IN_KERNEL = { interruptControllers: 'in-kernel' } as const;

export const READY = 1;

export function msi(vector: number, apicId = 0, bits = 0): Msi {
  return { address: 0xfee00000n | (BigInt(apicId) << 12n), data: vector | bits };
}

/** Handlers that report their vector and return. */
export function reportingHandlers(a: Assembler, vectors: readonly number[]): void {
  for (const vector of vectors) {
    a.label(`vector ${vector}`);
    a.push(rax);
    report(a, vector);
    lapicEoi(a);
    a.pop(rax);
    a.iret();
  }
}

export function gates(vectors: readonly number[]): Record<number, string> {
  return Object.fromEntries(vectors.map((vector) => [vector, `vector ${vector}`]));
}

/** A guest with reporting handlers: `body` runs with the local APIC enabled and IF clear, then the guest ends. */
export function guest(vectors: readonly number[], body: (a: Assembler) => void): MachineOptions {
  return {
    ...IN_KERNEL,
    code(a) {
      enableLapic(a);
      body(a);
      done(a);
      reportingHandlers(a, vectors);
    },
    vectors: gates(vectors),
  };
}

export function whenReady(machine: Machine, act: () => void): number[] {
  return machine.finish({ onReport: (value) => value === READY && act() });
}
