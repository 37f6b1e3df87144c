/** A 64-bit guest of several vCPUs that start at once, each at code of its own, without interrupt controllers. */
import assert from 'node:assert/strict';
import { type Assembler, qword, r15, rsp } from '../assembler.ts';
import type { CaseContext } from '../case-context.ts';
import { isDone } from '../exit-data.ts';
import { done } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';
import type { Machine, MachineOptions } from '../machine.ts';

export const NEEDS_THREADS = ['threads'] as const;

/** Counts who has arrived at the barrier; 64 KiB of `DATA` end with it. */
const ARRIVED = DATA + 0xff00;
const STACKS = 0x5000;
const STACK_BYTES = 0x400;

/** What each vCPU does: `id` is its number. */
export type Body = (a: Assembler, id: number) => void;

/** All bodies begin when every vCPU is there; each ends the run of its vCPU. */
export function parallelGuest(bodies: readonly Body[], extra: Partial<MachineOptions> = {}): MachineOptions {
  return {
    code(a) {
      for (const [id, body] of bodies.entries()) {
        a.label(`vCPU ${id}`);
        a.mov(rsp, STACKS + (id + 1) * STACK_BYTES);
        barrier(a, bodies.length);
        body(a, id);
        done(a);
      }
    },
    ...extra,
  };
}

/** Waits until every vCPU has come to as many barriers as this one. R15, 0 at the start, counts them. */
export function barrier(a: Assembler, count: number): void {
  const label = `barrier at ${a.here}`;
  a.add(r15, count);
  a.lock();
  a.inc(qword(ARRIVED));
  a.label(label);
  a.pause();
  a.cmp(qword(ARRIVED), r15);
  a.jcc('b', label);
}

export async function runParallel(t: CaseContext, machine: Machine, count: number): Promise<void> {
  const ids = Array.from({ length: count }, (_, id) => id);
  const open = (id: number) => t.thread(machine, id, machine.program.address(`vCPU ${id}`));
  const threads = await Promise.all(ids.map(open));
  for (const thread of threads) thread.start();
  for (const thread of threads) {
    const { exit } = await thread.stopped();
    assert.ok(isDone(exit), `vCPU ${thread.handle.id} stopped with ${exit.kind}`);
  }
}
