/**
 * What loading a segment register checks: type, privilege, presence (Intel SDM Vol. 3A §5.6 "Privilege Level Checking When
 * Accessing Data Segments", §5.7 "… When Loading the SS Register", §5.8.1 "Direct Calls or Jumps to Code Segments").
 */
import assert from 'node:assert/strict';
import { type Assembler, addressOf, ax, cs, ds, eax, es, fs, rax, ss } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, reportEax } from '../guest-code.ts';
import { CODE_TYPE, DATA_TYPE, GDT, SELECTORS, type SegmentShape } from '../guest-layout.ts';
import { type Fault, faultCase } from './fault-case.ts';
import { OWN, setDescriptor } from './own-descriptors.ts';
import { enterUserMode, IOPL_3 } from './user-mode.ts';

const NP = 11;
const SS = 12;
const GP = 13;
const EXECUTE_ONLY = 9;
const CONFORMING = 0xf;
const READ_ONLY = 1;
const BUSY_TSS = 0xb;
const LDT_BIT = 4;

interface Load {
  readonly name: string;
  readonly vector: number;
  readonly selector: number;
  /** The selector without its privilege level, if not given. */
  readonly errorCode?: number;
  readonly shape?: Omit<SegmentShape, 'selector'>;
  readonly load: (a: Assembler, selector: number) => void;
}

const toDs = (a: Assembler) => a.mov(ds, ax);
const toSs = (a: Assembler) => a.mov(ss, ax);
const jump = (a: Assembler, selector: number) => a.jmpFar(selector, addressOf('fault'));

const code = { type: CODE_TYPE };
const data = { type: DATA_TYPE };

const LOADS: readonly Load[] = [
  { name: 'DS of level 0 by a selector of level 3', vector: GP, selector: SELECTORS.data | 3, load: toDs },
  {
    name: 'DS of code that can only be executed',
    ...{ vector: GP, selector: OWN[0], shape: { type: EXECUTE_ONLY }, load: toDs },
  },
  { name: 'DS of code, by a selector of level 3', vector: GP, selector: SELECTORS.code32 | 3, load: toDs },
  { name: 'DS of a TSS', vector: GP, selector: SELECTORS.tss, load: toDs },
  { name: 'DS of the LDT that is not there', vector: GP, selector: LDT_BIT | 8, load: toDs },
  { name: 'SS of a null selector', vector: GP, selector: 0, load: toSs },
  { name: 'SS of level 3', vector: GP, selector: OWN[0], shape: { ...data, dpl: 3 }, load: toSs },
  { name: 'SS by a selector of level 3', vector: GP, selector: SELECTORS.data | 3, load: toSs },
  { name: 'SS that is read-only', vector: GP, selector: OWN[0], shape: { type: READ_ONLY }, load: toSs },
  { name: 'SS of code', vector: GP, selector: SELECTORS.code32, load: toSs },
  { name: 'SS that is not present', vector: SS, selector: SELECTORS.absent, load: toSs },
  { name: 'CS of a null selector', vector: GP, selector: 0, load: jump },
  { name: 'CS of data', vector: GP, selector: SELECTORS.data, load: jump },
  { name: 'CS of level 3 at level 0', vector: GP, selector: OWN[0], shape: { ...code, dpl: 3 }, load: jump },
  {
    name: 'CS of conforming code of level 3 at level 0',
    ...{ vector: GP, selector: OWN[0], shape: { type: CONFORMING, dpl: 3 }, load: jump },
  },
  {
    name: 'CS by a selector of level 3 at level 0',
    ...{ vector: GP, selector: SELECTORS.code32 | 3, load: jump },
  },
  {
    name: 'CS that is not present',
    ...{ vector: NP, selector: OWN[0], shape: { ...code, present: false }, load: jump },
  },
  {
    name: 'TR of a TSS that is busy',
    vector: GP,
    ...{ selector: OWN[0], shape: { type: BUSY_TSS, system: true, limit: 0x67 }, load: (a) => a.ltr(ax) },
  },
  {
    name: 'TR of a TSS that is not present',
    ...{ vector: NP, selector: OWN[0], shape: { type: 9, system: true, limit: 0x67, present: false } },
    load: (a) => a.ltr(ax),
  },
  { name: 'TR of data', vector: GP, selector: SELECTORS.data, load: (a) => a.ltr(ax) },
  { name: 'LDTR of data', vector: GP, selector: SELECTORS.data, load: (a) => a.lldt(ax) },
];

function loadFault({ name, vector, selector, errorCode = selector & ~3, shape, load }: Load): Fault {
  return {
    name: `${name} is ${{ [NP]: '#NP', [SS]: '#SS', [GP]: '#GP' }[vector]}(${errorCode === 0 ? 0 : 'selector'})`,
    mode: 'protected',
    ...{ vector, errorCode },
    prepare: (machine) => shape && setDescriptor(machine, selector, shape),
    code(a) {
      a.mov(eax, selector);
      a.label('fault');
      load(a, selector);
    },
  };
}

const userLoad: ConformanceCase = faultCase({
  name: 'DS of level 0 at level 3 is #GP(selector)',
  mode: 'protected',
  vector: GP,
  errorCode: SELECTORS.data,
  code(a) {
    enterUserMode(a);
    a.mov(eax, SELECTORS.data | 3);
    a.label('fault');
    a.mov(ds, ax);
  },
});

const conformingCode: ConformanceCase = {
  name: 'a jump to conforming code keeps the privilege level, and data of conforming code is anybody’s',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        enterUserMode(a, IOPL_3);
        a.jmpFar(OWN[0], addressOf('conforming'));
        a.label('conforming');
        a.mov(eax, cs);
        reportEax(a);
        a.mov(eax, OWN[0] | 3);
        a.mov(es, ax);
        a.mov(eax, es);
        reportEax(a);
        done(a);
      },
    });
    setDescriptor(machine, OWN[0], { type: CONFORMING });
    assert.deepEqual(machine.finish(), [OWN[0] | 3, OWN[0] | 3]);
    assert.equal(machine.cpu.getSpecialRegisters().ss.dpl, 3);
  },
};

const accessedFlag: ConformanceCase = {
  name: 'loading a segment sets the accessed flag in its descriptor, and a fault does not',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        a.mov(eax, OWN[0]);
        a.mov(fs, ax);
        a.mov(eax, OWN[1]);
        a.mov(ds, ax);
        a.label('handler');
        done(a);
      },
      vectors: { [NP]: 'handler' },
    });
    setDescriptor(machine, OWN[0], { type: DATA_TYPE & ~1 });
    setDescriptor(machine, OWN[1], { type: DATA_TYPE & ~1, present: false });
    machine.expectDone();
    const types = [OWN[0], OWN[1]].map((selector) => machine.memory.readU8(GDT + selector + 5) & 0xf);
    assert.deepEqual(types, [DATA_TYPE, DATA_TYPE & ~1]);
  },
};

const nullSelectors: ConformanceCase = {
  name: '64-bit code reads through null selectors, and may have a null SS at level 0',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, 0);
        a.mov(ds, ax);
        a.mov(es, ax);
        a.mov(ss, ax);
        a.push(0x1234);
        a.pop(rax);
        reportEax(a);
        done(a);
      },
    });
    assert.deepEqual(machine.finish(), [0x1234]);
  },
};

export const segmentLoadCases: readonly ConformanceCase[] = [
  ...LOADS.map((load) => faultCase(loadFault(load))),
  userLoad,
  conformingCode,
  accessedFlag,
  nullSelectors,
];
