/** What of x87, and of what saves its state, a program on silicon cannot show: tests/differential has the rest. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ModeBits } from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { fpuUnavailableWord } from '../fpu-unavailable.ts';
import { DATA_GVA, SingleInstruction } from './testing/single-instruction.ts';

const MNEMONICS = [
  ...['FADD', 'FNSTSW', 'FWAIT', 'PADDB', 'ADDPS', 'STMXCSR', 'EMMS', 'SFENCE', 'FXSAVE', 'FXSAVE64'],
  ...['FXRSTOR', 'FXRSTOR64', 'XSAVE', 'XRSTOR'],
];
const UD = 6;
const NM = 7;
const GP = 13;
/** CR0. */
const MP = 2n;
const EM = 4n;
const TS = 8n;
/** CR4. */
const OSFXSR = 1n << 9n;
const OSXSAVE = 1n << 18n;
const ALL = OSFXSR | OSXSAVE;

const WITH_DATA_IN_RBX = [0n, 0n, 0n, DATA_GVA];
const machineOf = (modeBits: ModeBits = 64) => new SingleInstruction(MNEMONICS, modeBits);

const CODE = {
  fadd: [0xd8, 0xc1],
  fnstsw: [0xdf, 0xe0],
  fwait: [0x9b],
  paddb: [0x0f, 0xfc, 0xc1],
  addps: [0x0f, 0x58, 0xc1],
  stmxcsr: [0x0f, 0xae, 0x1b],
  emms: [0x0f, 0x77],
  sfence: [0x0f, 0xae, 0xf8],
  fxsave: [0x0f, 0xae, 0x03],
  fxsave64: [0x48, 0x0f, 0xae, 0x03],
  fxrstor: [0x0f, 0xae, 0x0b],
  xsave: [0x0f, 0xae, 0x23],
  xrstor: [0x0f, 0xae, 0x2b],
} as const;

/** What each raises; undefined: nothing. */
type Vectors = Partial<Record<keyof typeof CODE, number | undefined>>;

describe('what an operating system has switched off', () => {
  const machine = machineOf();
  machine.state.setUint32(offsetOf('mxcsr'), 0x1f80, true);
  machine.state.setUint32(offsetOf('x87Control'), 0x37f, true);
  const exceptionOf = (name: keyof typeof CODE, cr0: bigint, cr4: bigint) => {
    machine.state.setUint32(offsetOf('fpuUnavailable'), fpuUnavailableWord(cr0, cr4), true);
    return machine.run(CODE[name], WITH_DATA_IN_RBX).exception;
  };
  const cases: readonly [string, bigint, bigint, Vectors][] = [
    ['nothing', 0n, ALL, {}],
    ['nothing, with CR0.MP', MP, ALL, {}],
    ['CR0.TS', TS, ALL, { ...all(NM), fwait: undefined }],
    ['CR0.TS, with CR0.MP', TS | MP, ALL, all(NM)],
    ['CR0.EM', EM, ALL, { ...all(UD), ...x87(NM), fwait: undefined, xsave: undefined }],
    ['CR0.EM and CR0.TS', EM | TS, ALL, { ...all(UD), ...x87(NM), fwait: undefined, xsave: NM }],
    ['CR4.OSFXSR', 0n, OSXSAVE, { addps: UD, stmxcsr: UD }],
    ['CR4.OSXSAVE', 0n, OSFXSR, { xsave: UD }],
  ];
  for (const [what, cr0, cr4, expected] of cases)
    test(what, () => {
      for (const name of ['fadd', 'fnstsw', 'fwait', 'paddb', 'addps', 'stmxcsr', 'emms', 'sfence'] as const)
        assert.equal(exceptionOf(name, cr0, cr4), expected[name], name);
      for (const name of ['fxsave', 'xsave'] as const)
        assert.equal(exceptionOf(name, cr0, cr4), expected[name], name);
    });
});

function x87(vector: number): Vectors {
  return { fadd: vector, fnstsw: vector, fxsave: vector };
}

function all(vector: number): Vectors {
  return {
    ...{ ...x87(vector), fwait: vector, paddb: vector, addps: vector, stmxcsr: vector },
    ...{ emms: vector, xsave: vector },
  };
}

test('FXSAVE64 has all of the pointers, FXSAVE their lower halves', () => {
  const machine = machineOf();
  machine.state.setBigUint64(offsetOf('x87Instruction'), 0xffff_8000_1234_5678n, true);
  machine.state.setBigUint64(offsetOf('x87Data'), 0xffff_9000_8765_4321n, true);
  machine.run(CODE.fxsave64, WITH_DATA_IN_RBX);
  assert.equal(machine.data.getBigUint64(8, true), 0xffff_8000_1234_5678n);
  assert.equal(machine.data.getBigUint64(16, true), 0xffff_9000_8765_4321n);
  machine.run(CODE.fxsave, WITH_DATA_IN_RBX);
  assert.equal(machine.data.getBigUint64(8, true), 0x1234_5678n);
  assert.equal(machine.data.getBigUint64(16, true), 0x8765_4321n);
});

test('an x87 instruction leaves its opcode and address, but not FNSTSW', () => {
  const machine = machineOf();
  machine.state.setBigUint64(offsetOf('codeBase'), 0x7fff_1234_5000n, true);
  machine.run(CODE.fadd, []);
  machine.run(CODE.fnstsw, []);
  assert.equal(machine.state.getBigUint64(offsetOf('x87Instruction'), true), 0x7fff_1234_5000n);
  assert.equal(machine.state.getUint32(offsetOf('x87Opcode'), true), 0xc1);
});

test('outside of 64-bit mode FXSAVE and FXRSTOR know eight XMM registers', () => {
  const machine = machineOf(32);
  const xmm = (number: number) => offsetOf('xmm') + number * 32;
  for (const number of [7, 8]) machine.state.setBigUint64(xmm(number), BigInt(number), true);
  machine.data.setUint8(160 + 8 * 16, 0xaa);
  machine.run(CODE.fxsave, WITH_DATA_IN_RBX);
  assert.deepEqual([machine.data.getUint8(160 + 7 * 16), machine.data.getUint8(160 + 8 * 16)], [7, 0xaa]);
  machine.data.setUint8(160 + 7 * 16, 0x77);
  machine.run(CODE.fxrstor, WITH_DATA_IN_RBX);
  assert.deepEqual(
    [7, 8].map((number) => machine.state.getUint8(xmm(number))),
    [0x77, 8],
  );
});

describe('XCR0', () => {
  const everything = [0xffff_ffffn, 0n, 0xffff_ffffn, DATA_GVA];
  const withXcr0 = (xcr0: bigint) => {
    const machine = machineOf();
    machine.state.setBigUint64(offsetOf('xcr0'), xcr0, true);
    machine.state.setUint32(offsetOf('mxcsr'), 0x1f80, true);
    machine.state.setUint32(offsetOf('x87Control'), 0x37f, true);
    return machine;
  };

  test('XSAVE saves the state components that it has, and keeps the other bits of XSTATE_BV', () => {
    const machine = withXcr0(1n);
    machine.data.setBigUint64(512, 0x84n, true);
    machine.run(CODE.xsave, everything);
    assert.equal(machine.data.getUint16(0, true), 0x37f);
    assert.equal(machine.data.getUint32(24, true), 0, 'MXCSR goes with SSE');
    assert.equal(machine.data.getBigUint64(512, true), 0x85n);
  });

  test('XRSTOR refuses a state component that it has not', () => {
    const machine = withXcr0(1n);
    machine.data.setBigUint64(512, 2n, true);
    assert.equal(machine.run(CODE.xrstor, everything).exception, GP);
    machine.data.setBigUint64(512, 0n, true);
    assert.equal(machine.run(CODE.xrstor, everything).exception, undefined);
  });
});
