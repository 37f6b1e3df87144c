import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlatMachine } from '../testing/flat-machine.ts';

const CODE = 0x1000;
const STACK = 0x400000n;
const RETURN_RIP = 0xdead0n;
const RAX = 0;
const RSP = 4;
const RDI = 7;

const machineCode = (...lines: readonly string[]) =>
  Uint8Array.from(lines.join('').match(/[0-9a-f]{2}/g)!, (byte) => Number.parseInt(byte, 16));

/** Arithmetic, a store and a load, and a jump backwards, RDI times. */
const MIX = machineCode(
  '68 d0 ea 0d 00', //    push 0xdead0
  '48 89 f9', //          mov rcx, rdi
  '48 89 c2', //          again: mov rdx, rax
  '48 01 d0', //          add rax, rdx
  '48 31 d0', //          xor rax, rdx
  '48 05 34 12 00 00', // add rax, 0x1234
  '48 89 44 24 f0', //    mov [rsp-16], rax
  '48 03 44 24 f0', //    add rax, [rsp-16]
  '48 8d 54 88 08', //    lea rdx, [rax+rcx*4+8]
  '48 31 ca', //          xor rdx, rcx
  '48 39 c2', //          cmp rdx, rax
  '48 11 d0', //          adc rax, rdx
  '48 ff c9', //          dec rcx
  '75 d4', //             jne again
  'c3', //                ret
);

function mix(start: bigint, times: number): bigint {
  const cut = (value: bigint) => BigInt.asUintN(64, value);
  let rax = start;
  for (let rcx = BigInt(times); rcx > 0n; rcx--) {
    rax = cut(cut((cut(rax + rax) ^ rax) + 0x1234n) * 2n);
    const rdx = cut(rax + rcx * 4n + 8n) ^ rcx;
    rax = cut(rax + rdx + (rdx < rax ? 1n : 0n));
  }
  return rax;
}

test('a loop with calculations, memory and the carry from a comparison', () => {
  const machine = new FlatMachine();
  machine.load(CODE, MIX);
  for (const times of [1, 2, 3, 1000]) {
    machine.setRegister(RAX, 1n);
    machine.setRegister(RDI, BigInt(times));
    machine.setRegister(RSP, STACK);
    machine.run(BigInt(CODE), RETURN_RIP);
    assert.equal(machine.getRegister(RAX), mix(1n, times));
    assert.equal(machine.getRegister(RSP), STACK);
  }
});

test('an access outside of memory leaves the registers as they were', () => {
  const machine = new FlatMachine();
  machine.load(CODE, machineCode('ff 34 25 00 00 00 7f')); // push qword [0x7f000000]
  machine.setRegister(RSP, STACK);
  assert.throws(() => machine.run(BigInt(CODE), RETURN_RIP), /outside of memory/);
  assert.equal(machine.getRegister(RSP), STACK);
});

test('code goes on across stretches that are too long for one, and across a page', () => {
  const machine = new FlatMachine();
  const increments = Uint8Array.from({ length: 3 * 3000 }, (_, at) => [0x48, 0xff, 0xc0][at % 3]!); // inc rax
  const code = Uint8Array.of(...machineCode('68 d0 ea 0d 00'), ...increments, 0xc3);
  machine.load(CODE, code);
  machine.setRegister(RAX, 0n);
  machine.setRegister(RSP, STACK);
  machine.run(BigInt(CODE), RETURN_RIP);
  assert.equal(machine.getRegister(RAX), 3000n);
});
