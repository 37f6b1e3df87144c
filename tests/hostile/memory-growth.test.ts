/** What a vCPU keeps about its guest is bounded, however many addresses the guest gives to the same page. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openLongModeMachine, PAGE } from './long-mode-machine.ts';

/** DEC RCX; JZ to OUT; LEA RAX, the same place in the next page; JMP RAX; OUT. */
const GOES_ON_IN_THE_NEXT_PAGE = [
  ...[0x48, 0xff, 0xc9, 0x74, 0x09, 0x48, 0x8d, 0x05, 0xf4, 0x0f, 0x00, 0x00, 0xff, 0xe0],
  ...[0xe6, 0x80],
];
/** MOV RBX, [RAX]; ADD RAX, 1000h; DEC RCX; JNZ; OUT. */
const READS_THE_NEXT_PAGE = [
  ...[0x48, 0x8b, 0x18, 0x48, 0x05, 0x00, 0x10, 0x00, 0x00, 0x48, 0xff, 0xc9, 0x75, 0xf2],
  ...[0xe6, 0x80],
];

const MOST_BYTES = 8 * 2 ** 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

async function heapGrowth(code: readonly number[], times: number): Promise<number> {
  using machine = await openLongModeMachine(code);
  const { vcpu } = machine;
  const run = (rcx: number) => {
    vcpu.setRegisters({ ...vcpu.getRegisters(), rip: BigInt(PAGE), rax: 0n, rcx: BigInt(rcx), rflags: 2n });
    assert.equal(vcpu.run().kind, 'io');
    assert.equal(vcpu.getRegisters().rcx, 0n);
  };
  run(1000);
  const before = heapBytes();
  run(times);
  return heapBytes() - before;
}

describe('what a vCPU keeps has a bound', () => {
  test('for code at each of many linear addresses', async () => {
    const growth = await heapGrowth(GOES_ON_IN_THE_NEXT_PAGE, 300_000);
    assert.ok(growth < MOST_BYTES, `${growth} bytes`);
  });

  test('for data at each of many linear addresses', async () => {
    const growth = await heapGrowth(READS_THE_NEXT_PAGE, 2_000_000);
    assert.ok(growth < MOST_BYTES, `${growth} bytes`);
  });
});
