/** Instructions for segment bases, and what CR4 keeps privilege level 3 from (Intel SDM Vol. 3A §2.5 "Control Registers"). */
import assert from 'node:assert/strict';
import { type Assembler, at, eax, rax, rbx, rsp } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, reportWide, wideReports } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';
import { faultCase } from './fault-case.ts';
import { setCr4 } from './page-window.ts';
import { enterUserMode, IOPL_3 } from './user-mode.ts';

const UD = 6;
const GP = 13;
const CR4_TSD = 1 << 2;
const CR4_UMIP = 1 << 11;
const CR4_FSGSBASE = 1 << 16;
const NON_CANONICAL = 0x8000_0000_0000n;

const bases: ConformanceCase = {
  name: 'WRFSBASE and WRGSBASE at level 3 write 64 bits, or 32 and zeros, that RDFSBASE and RDGSBASE read',
  needs: ['fsgsbase'],
  run(t) {
    const machine = t.machine({
      code(a) {
        setCr4(a, CR4_FSGSBASE);
        enterUserMode(a, IOPL_3);
        a.mov(rbx, 0xffff_8000_1234_5678n);
        a.wrfsbase(rbx);
        a.wrgsbase(rbx);
        for (const read of [() => a.rdfsbase(rax), () => a.rdgsbase(rax)]) {
          read();
          reportWide(a, rax);
        }
        a.mov(eax, -1);
        a.wrfsbase(eax);
        a.rdfsbase(rax);
        reportWide(a, rax);
        a.mov(rax, -1);
        a.rdgsbase(eax);
        reportWide(a, rax);
        done(a);
      },
    });
    const wide = 0xffff_8000_1234_5678n;
    assert.deepEqual(wideReports(machine.finish()), [wide, wide, 0xffff_ffffn, 0x1234_5678n]);
    const { fs, gs } = machine.cpu.getSpecialRegisters();
    assert.deepEqual([fs.base, gs.base], [0xffff_ffffn, wide]);
  },
};

const faults = [
  faultCase({
    name: 'WRFSBASE without CR4.FSGSBASE is #UD',
    ...{ needs: ['fsgsbase'], vector: UD },
    code(a) {
      a.label('fault');
      a.wrfsbase(rax);
    },
  }),
  faultCase({
    name: 'WRGSBASE of an address that is not canonical is #GP(0)',
    ...{ needs: ['fsgsbase', 'canonical-segment-bases'], vector: GP, errorCode: 0 },
    code(a) {
      setCr4(a, CR4_FSGSBASE);
      a.mov(rax, NON_CANONICAL);
      a.label('fault');
      a.wrgsbase(rax);
    },
  }),
  userFault('SWAPGS at privilege level 3 is #GP(0)', 0, (a) => a.swapgs()),
  userFault('RDTSC at privilege level 3 with CR4.TSD is #GP(0)', CR4_TSD, (a) => a.rdtsc()),
  ...(
    [
      ['SGDT', (a) => a.sgdt(at(rsp, -16))],
      ['SIDT', (a) => a.sidt(at(rsp, -16))],
      ['SLDT', (a) => a.db(0x0f, 0x00, 0xc0)],
      ['STR', (a) => a.db(0x0f, 0x00, 0xc8)],
      ['SMSW', (a) => a.smsw(eax)],
    ] as [string, (a: Assembler) => void][]
  ).map(([name, code]) => userFault(`${name} at privilege level 3 with CR4.UMIP is #GP(0)`, CR4_UMIP, code)),
];

function userFault(name: string, cr4: number, code: (a: Assembler) => void): ConformanceCase {
  return faultCase({
    name,
    ...{ needs: cr4 === CR4_UMIP ? ['umip'] : [], vector: GP, errorCode: 0 },
    code(a) {
      if (cr4 !== 0) setCr4(a, cr4);
      enterUserMode(a);
      a.label('fault');
      code(a);
    },
  });
}

const allowed: ConformanceCase = {
  name: 'level 3 reads the time-stamp counter and the tables’ registers while CR4 lets it',
  run(t) {
    const machine = t.machine({
      code(a) {
        enterUserMode(a, IOPL_3);
        a.rdtsc();
        a.mov(rbx, DATA);
        a.sgdt(at(rbx));
        a.smsw(eax);
        report(a, 1);
        done(a);
      },
    });
    assert.deepEqual(machine.finish(), [1]);
  },
};

export const segmentBaseInstructionCases: readonly ConformanceCase[] = [bases, ...faults, allowed];
