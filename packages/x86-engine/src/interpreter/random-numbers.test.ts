/** Intel SDM Vol. 2B "RDRAND—Read Random Number", "RDSEED—Read Random SEED". */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SingleInstruction } from './testing/single-instruction.ts';

const NUMBER = 0x8123_4567_89ab_cdefn;
const BEFORE = 0x1111_2222_3333_4444n;
const machine = new SingleInstruction(['RDRAND', 'RDSEED'], 64, () => NUMBER);

for (const [mnemonic, digit] of [['RDRAND', 6] as const, ['RDSEED', 7] as const]) {
  const modRm = 0xc0 | (digit << 3) | 2; // RDX
  const run = (...prefixes: number[]) =>
    machine.run([...prefixes, 0x0f, 0xc7, modRm], [0n, 0n, BEFORE], ['OF', 'SF', 'ZF', 'AF', 'PF']);

  test(`${mnemonic}: as many bits of the host's number as the operand has`, () => {
    assert.equal(run(0x48).registers[2], NUMBER);
    assert.equal(run().registers[2], NUMBER & 0xffff_ffffn);
    assert.equal(run(0x66).registers[2], (BEFORE & ~0xffffn) | (NUMBER & 0xffffn));
  });

  test(`${mnemonic}: CF is set, all other status flags are cleared`, () => {
    assert.deepEqual(run().flags, ['CF']);
  });
}
