/**
 * Which exception follows from one that arises while another is delivered: each class with each (Intel SDM Vol. 3A Table 6-4
 * "Interrupt and Exception Classes", Table 6-5 "Conditions for Generating a Double Fault").
 */
import assert from 'node:assert/strict';
import { type Assembler, ax, cr2, ds, dword, eax, ecx, rax, rbx, ss } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, reportWide, wideReports } from '../guest-code.ts';
import { DATA, IDT, SELECTORS, TSS } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';
import { useInterruptStack } from './interrupt-stacks.ts';
import { REGION } from './page-window.ts';

const DF = 8;
const NP = 11;
const PF = 14;

interface First {
  readonly name: string;
  readonly vector: number;
  readonly class: 'benign' | 'contributory' | 'page fault';
  readonly raise: (a: Assembler) => void;
}

const FIRSTS: readonly First[] = [
  { name: '#UD', vector: 6, class: 'benign', raise: (a) => a.ud2() },
  { name: '#BP', vector: 3, class: 'benign', raise: (a) => a.int3() },
  { name: 'INT n', vector: 0x50, class: 'benign', raise: (a) => a.int(0x50) },
  { name: '#DE', vector: 0, class: 'contributory', raise: (a) => [a.mov(ecx, 0), a.div(ecx)] },
  {
    name: '#NP',
    ...{ vector: NP, class: 'contributory' },
    raise: (a) => [a.mov(eax, SELECTORS.absent), a.mov(ds, ax)],
  },
  {
    name: '#SS',
    ...{ vector: 12, class: 'contributory' },
    raise: (a) => [a.mov(eax, SELECTORS.absent), a.mov(ss, ax)],
  },
  {
    name: '#GP',
    ...{ vector: 13, class: 'contributory' },
    raise: (a) => [a.mov(rbx, 0x8000_0000_0000n), a.mov(eax, dword(rbx))],
  },
  {
    name: '#PF',
    ...{ vector: PF, class: 'page fault' },
    raise: (a) => [a.mov(rbx, REGION), a.mov(eax, dword(rbx))],
  },
];

/** What makes the delivery of the first exception fail. */
interface Second {
  readonly name: string;
  readonly vector: number;
  readonly doubles: (first: First['class']) => boolean;
  readonly spoil: (machine: Machine, vector: number) => void;
}

const SECONDS: readonly Second[] = [
  {
    name: '#NP',
    vector: NP,
    doubles: (first) => first !== 'benign',
    spoil: (machine, vector) => machine.memory.writeU8(IDT + vector * 16 + 5, 0x0e),
  },
  {
    name: '#PF',
    vector: PF,
    doubles: (first) => first === 'page fault',
    spoil(machine, vector) {
      useInterruptStack(machine, vector, 5);
      machine.memory.writeU64(TSS + 0x1c + 5 * 8, BigInt(REGION + 0x2000));
    },
  },
];

function handler(a: Assembler, name: string, vector: number): void {
  a.label(name);
  a.mov(rbx, cr2);
  report(a, vector);
  a.pop(rax); // the error code, which QEMU's software emulation has its own opinion of
  reportWide(a, rbx);
  done(a);
}

function pairCase(first: First, second: Second): ConformanceCase {
  const isDouble = second.doubles(first.class);
  const outcome = isDouble ? '#DF' : second.name;
  return {
    name: `${first.name} whose delivery raises ${second.name} is ${outcome}`,
    // KVM injects the first anew when the delivery meets memory that it has yet to map.
    needs: isDouble ? ['injected-exception-classes'] : [],
    run(t) {
      const machine = t.machine({
        code(a) {
          first.raise(a);
          a.label('first');
          report(a, 0xbad);
          done(a);
          handler(a, 'double', DF);
          handler(a, 'second', second.vector);
        },
        vectors: { [second.vector]: 'second', [DF]: 'double', [first.vector]: 'first' },
      });
      if (second.vector !== first.vector) useInterruptStack(machine, second.vector, 2);
      useInterruptStack(machine, DF, 3);
      second.spoil(machine, first.vector);
      const [vector, ...address] = machine.finish();
      assert.equal(vector, isDouble ? DF : second.vector);
      if (second.vector !== PF) return;
      // The frame that could not be pushed begins below the stack's top.
      assert.deepEqual(
        wideReports(address).map((gva) => gva >> 12n),
        [BigInt(REGION + 0x1000) >> 12n],
      );
    },
  };
}

/** A handler that faults once more has been delivered: then it is the first that counts. */
const notWhileHandled: ConformanceCase = {
  name: 'a #PF in a handler of #PF that has begun is no double fault',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, REGION);
        a.mov(eax, dword(rbx));
        a.label('page fault');
        a.inc(dword(DATA));
        report(a, PF);
        a.cmp(dword(DATA), 3);
        a.jcc('e', 'enough');
        a.mov(eax, dword(rbx, 0x1000));
        a.label('enough');
        done(a);
      },
      vectors: { [PF]: 'page fault' },
    });
    assert.deepEqual(machine.finish(), [PF, PF, PF]);
  },
};

export const doubleFaultCases: readonly ConformanceCase[] = [
  ...FIRSTS.flatMap((first) => SECONDS.map((second) => pairCase(first, second))),
  notWhileHandled,
];
