/** Where MASKMOVQ and MASKMOVDQU store (Intel SDM Vol. 2B "MASKMOVDQU—Store Selected Bytes of Double Quadword"): DS:RDI, prefixes apart. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ModeBits } from '@vireo/x86-isa';
import { offsetOf, XMM_STRIDE_BYTES } from '../cpu-state.ts';
import { DATA_GVA, SingleInstruction } from './testing/single-instruction.ts';

const [ES, DS, FS] = [0, 3, 4] as const;
const MASKMOVDQU = [0x66, 0x0f, 0xf7, 0xc1];
const MASKMOVQ = [0x0f, 0xf7, 0xc1];
const [ADDRESS_SIZE, ES_PREFIX, FS_PREFIX] = [0x67, 0x26, 0x64] as const;
const VALUE = 0x1122_3344_5566_7788n;
/** Of each second byte. */
const MASK = 0x8000_8000_8000_8000n;
const STORED = 0x1100_3300_5500_7700n;

describe('a masked store', () => {
  const store = (modeBits: ModeBits, code: readonly number[], rdi: bigint, bases: Record<number, bigint>) => {
    const machine = new SingleInstruction(['MASKMOVDQU', 'MASKMOVQ'], modeBits);
    for (const [segment, base] of Object.entries(bases)) {
      const at = Number(segment) * 8;
      machine.state.setBigUint64(offsetOf('segmentBases') + at, base, true);
      machine.state.setBigUint64(offsetOf('segmentWritable') + at, 0x1_0000_0000n, true);
    }
    if (modeBits !== 64) machine.state.setBigUint64(offsetOf('linearMask'), 0xffff_ffffn, true);
    const isMmx = code.at(-3) === 0x0f && !code.includes(0x66);
    const [registers, stride] = isMmx ? (['x87', 16] as const) : (['xmm', XMM_STRIDE_BYTES] as const);
    machine.state.setBigUint64(offsetOf(registers), VALUE, true);
    machine.state.setBigUint64(offsetOf(registers) + stride, MASK, true);
    assert.equal(machine.run(code, [0n, 0n, 0n, 0n, 0n, 0n, 0n, rdi]).exception, undefined);
    return machine.data;
  };

  for (const [name, code] of [
    ['MASKMOVDQU', MASKMOVDQU],
    ['MASKMOVQ', MASKMOVQ],
  ] as const) {
    test(`of ${name} is in DS, not in ES`, () => {
      const data = store(32, code, 0x100n, { [ES]: 0n, [DS]: DATA_GVA });
      assert.equal(data.getBigUint64(0x100, true), STORED);
    });

    test(`of ${name} is in the segment of the prefix`, () => {
      const inEs = store(32, [ES_PREFIX, ...code], 0x100n, { [ES]: DATA_GVA, [DS]: 0n });
      assert.equal(inEs.getBigUint64(0x100, true), STORED);
      const inFs = store(64, [FS_PREFIX, ...code], 0x200n, { [FS]: DATA_GVA });
      assert.equal(inFs.getBigUint64(0x200, true), STORED);
    });

    test(`of ${name} with 67h is at EDI, or DI`, () => {
      const far = 0xffff_ffff_0000_0000n;
      assert.equal(
        store(64, [ADDRESS_SIZE, ...code], far | (DATA_GVA + 8n), {}).getBigUint64(8, true),
        STORED,
      );
      const at = store(32, [ADDRESS_SIZE, ...code], 0xffff_0010n, { [DS]: DATA_GVA });
      assert.equal(at.getBigUint64(0x10, true), STORED);
    });
  }
});
