/** The x87's environment in memory, in its four layouts (Intel SDM Vol. 1 §8.1.10, Figures 8-9 to 8-12). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ModeBits } from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { DATA_GVA, SingleInstruction } from './testing/single-instruction.ts';

const OPERAND_SIZE = 0x66;
const [FNSTENV, FLDENV, FNSAVE, FRSTOR] = [
  [0xd9, 0x33],
  [0xd9, 0x23],
  [0xdd, 0x33],
  [0xdd, 0x23],
] as const;
const WITH_DATA_IN_RBX = [0n, 0n, 0n, DATA_GVA];

const POINTERS = { instruction: 0x9_abcd_1234n, data: 0x7_5678_fedcn, opcode: 0x5c3 };
/** All registers empty but the one at the top, which is 5. */
const WORDS = [0x037f, 0x2800, 0xf3ff];

interface Layout {
  readonly name: string;
  readonly isReal: boolean;
  readonly bits: 16 | 32;
  readonly fields: readonly number[];
  /** What loading it gives. */
  readonly loaded: typeof POINTERS;
}

const LAYOUTS: readonly Layout[] = [
  {
    ...{ name: "protected mode's of 32 bits", isReal: false, bits: 32 },
    fields: [0xabcd_1234, 0x05c3_0000, 0x5678_fedc, 0xffff_0000],
    loaded: { instruction: 0xabcd_1234n, data: 0x5678_fedcn, opcode: 0x5c3 },
  },
  {
    ...{ name: "real-address mode's of 32 bits", isReal: true, bits: 32 },
    fields: [0xffff_1234, 0x0abc_d5c3, 0xffff_fedc, 0x0567_8000],
    loaded: { instruction: 0xabcd_1234n, data: 0x5678_fedcn, opcode: 0x5c3 },
  },
  {
    ...{ name: "protected mode's of 16 bits", isReal: false, bits: 16 },
    fields: [0x1234, 0, 0xfedc, 0],
    loaded: { instruction: 0x1234n, data: 0xfedcn, opcode: 0 },
  },
  {
    ...{ name: "real-address mode's of 16 bits", isReal: true, bits: 16 },
    fields: [0x1234, 0xd5c3, 0xfedc, 0x8000],
    loaded: { instruction: 0xd_1234n, data: 0x8_fedcn, opcode: 0x5c3 },
  },
];

describe('the x87 environment in memory', () => {
  const machines = new Map<ModeBits, SingleInstruction>();
  const machineOf = ({ isReal, bits }: Layout) => {
    const machine = machines.get(32) ?? new SingleInstruction(['FNSTENV', 'FLDENV', 'FNSAVE', 'FRSTOR'], 32);
    machines.set(32, machine);
    const { state } = machine;
    state.setBigUint64(offsetOf('linearMask'), 0xffff_ffffn, true);
    state.setUint32(offsetOf('x87RealFormat'), isReal ? 1 : 0, true);
    state.setUint32(offsetOf('x87Control'), WORDS[0]!, true);
    state.setUint32(offsetOf('x87Status'), WORDS[1]!, true);
    state.setUint32(offsetOf('x87Tags'), 1 << 5, true);
    // ST(0) is 1.5.
    state.setBigUint64(offsetOf('x87') + 5 * 16, 0xc000_0000_0000_0000n, true);
    state.setUint16(offsetOf('x87') + 5 * 16 + 8, 0x3fff, true);
    setPointers(state, POINTERS);
    new Uint8Array(machine.data.buffer, machine.data.byteOffset, 128).fill(0x11);
    const run = (code: readonly number[]) =>
      assert.equal(
        machine.run(bits === 16 ? [OPERAND_SIZE, ...code] : code, WITH_DATA_IN_RBX).exception,
        undefined,
      );
    return { ...machine, state, data: machine.data, run };
  };
  const setPointers = (state: DataView, { instruction, data, opcode }: typeof POINTERS) => {
    state.setBigUint64(offsetOf('x87Instruction'), instruction, true);
    state.setBigUint64(offsetOf('x87Data'), data, true);
    state.setUint32(offsetOf('x87Opcode'), opcode, true);
  };
  const pointersOf = (state: DataView) => ({
    instruction: state.getBigUint64(offsetOf('x87Instruction'), true),
    data: state.getBigUint64(offsetOf('x87Data'), true),
    opcode: state.getUint32(offsetOf('x87Opcode'), true),
  });
  const wordsOf = (data: DataView, bits: 16 | 32) =>
    Array.from({ length: 7 }, (_, index) =>
      bits === 16 ? data.getUint16(index * 2, true) : data.getUint32(index * 4, true),
    );
  const expectedWords = ({ bits, fields }: Layout) => [
    ...WORDS.map((word) => (bits === 16 ? word : (word | 0xffff_0000) >>> 0)),
    ...fields,
  ];

  for (const layout of LAYOUTS) {
    test(`is ${layout.name}, of FNSTENV`, () => {
      const { run, data } = machineOf(layout);
      run(FNSTENV);
      assert.deepEqual(wordsOf(data, layout.bits), expectedWords(layout));
      assert.equal(data.getUint8((layout.bits / 8) * 7), 0x11);
    });

    test(`is ${layout.name}, of FNSAVE, with the registers behind`, () => {
      const { run, data } = machineOf(layout);
      run(FNSAVE);
      assert.deepEqual(wordsOf(data, layout.bits), expectedWords(layout));
      const registers = (layout.bits / 8) * 7;
      assert.equal(data.getBigUint64(registers, true), 0xc000_0000_0000_0000n);
      assert.equal(data.getUint16(registers + 8, true), 0x3fff);
      assert.equal(data.getUint8(registers + 80), 0x11);
    });

    for (const [load, save] of [
      [FLDENV, FNSTENV],
      [FRSTOR, FNSAVE],
    ] as const)
      test(`is ${layout.name}, of ${load === FLDENV ? 'FLDENV' : 'FRSTOR'}`, () => {
        const { run, state } = machineOf(layout);
        run(save);
        setPointers(state, { instruction: 0n, data: 0n, opcode: 0 });
        state.setUint32(offsetOf('x87Tags'), 0, true);
        run(load);
        assert.deepEqual(pointersOf(state), layout.loaded);
        assert.equal(state.getUint32(offsetOf('x87Tags'), true), 1 << 5);
        assert.equal(state.getUint32(offsetOf('x87Status'), true), WORDS[1]);
      });
  }
});
