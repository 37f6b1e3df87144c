/** The assembler against bytes worked out from the manual's tables; gnu-as.test.ts compares whole families. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as x from '../assembler.ts';
import { type Assembler, assemble, byte, type CodeBits, dword, word } from '../assembler.ts';

function hex(bits: CodeBits, write: (a: Assembler) => void): string {
  return Buffer.from(assemble({ origin: 0x8000, bits }, write).bytes).toString('hex');
}

const ENCODED: [CodeBits, string, (a: Assembler) => void][] = [
  [64, '4889d8', (a) => a.mov(x.rax, x.rbx)],
  [64, '48c7c0ffffffff', (a) => a.mov(x.rax, -1)],
  [64, '48b8efcdab8967452301', (a) => a.mov(x.rax, 0x0123456789abcdefn)],
  [64, '678b0425f000e0fe', (a) => a.mov(x.eax, dword(0xfee000f0))],
  [64, '41880424', (a) => a.mov(byte(x.r12), x.al)],
  [64, '45894d00', (a) => a.mov(dword(x.r13), x.r9d)],
  [16, '8b4002', (a) => a.mov(x.ax, word({ base: x.bx, index: x.si }, 2))],
  [16, '678b03', (a) => a.mov(x.ax, word(x.ebx))],
  [32, 'f366a7', (a) => [a.rep(), a.cmps(16)]],
  [64, 'f36d', (a) => [a.rep(), a.ins(32)]],
  [64, '67f366a5', (a) => [a.db(0x67), a.rep(), a.movs(16)]],
  [64, 'f0480fc70f', (a) => [a.lock(), a.cmpxchg16b(x.at(x.rdi))]],
  [64, 'f3440f7f07', (a) => a.movdqu(x.at(x.rdi), x.xmm8)],
];

/** With a label `here` at 0x8000, where the code starts. */
const WITH_LABELS: [CodeBits, string, (a: Assembler) => void][] = [
  [64, '8b05faffffff', (a) => a.mov(x.eax, dword('here'))],
  [64, '8305f9fffffffe', (a) => a.add(dword('here'), 0xfffffffe)],
  [16, '668b060080', (a) => a.mov(x.eax, dword('here'))],
  [16, 'ea00800000', (a) => a.jmpFar(0, x.addressOf('here'))],
  [16, '66ea008000000800', (a) => a.jmpFar(8, x.addressOf('here'), 32)],
  [32, 'e9fbffffff', (a) => a.jmp('here')],
  [32, '0f84faffffff', (a) => a.jcc('e', 'here')],
  [16, 'e2fe', (a) => a.loop('here')],
  [64, '6800800000', (a) => a.push(x.addressOf('here'))],
  [32, '00800000', (a) => a.dd(x.addressOf('here'))],
];

test('encodes what the manuals give as bytes', () => {
  for (const [bits, expected, write] of ENCODED) assert.equal(hex(bits, write), expected, write.toString());
});

test('resolves labels, absolute and relative to the end of the instruction', () => {
  for (const [bits, expected, write] of WITH_LABELS) {
    const labelled = hex(bits, (a) => {
      a.label('here');
      write(a);
    });
    assert.equal(labelled, expected, write.toString());
  }
});

test('says where labels are', () => {
  const program = assemble({ origin: 0x8000, bits: 32 }, (a) => {
    a.nop();
    a.align(16);
    a.label('aligned');
    a.org(0x8020);
    a.label('end');
  });
  assert.equal(program.address('aligned'), 0x8010);
  assert.equal(program.address('end'), 0x8020);
  assert.throws(() => program.address('nowhere'), /no label nowhere/);
});

test('refuses what it cannot encode', () => {
  const refused: [CodeBits, RegExp, (a: Assembler) => void][] = [
    [64, /not defined/, (a) => a.jmp('nowhere')],
    [64, /defined twice/, (a) => [a.label('x'), a.label('x')]],
    [32, /64-bit code/, (a) => a.mov(x.rax, x.rbx)],
    [64, /REX prefix/, (a) => a.mov(x.ah, x.r8b)],
    [64, /does not fit/, (a) => a.mov(x.al, 256)],
    [64, /does not fit/, (a) => a.add(x.rax, 0x1_0000_0000)],
    [64, /differ in size/, (a) => a.mov(dword(x.rbx), x.al)],
    [64, /distance/, (a) => [a.label('x'), a.org(0x8100), a.loop('x')]],
    [16, /16-bit address/, (a) => a.mov(x.al, byte(x.cx))],
    [64, /index/, (a) => a.mov(x.al, byte({ base: x.rax, index: x.rsp }))],
    [64, /through AL/, (a) => a.in(x.ebx, x.dx)],
    [64, /byte or DX/, (a) => a.out(x.ax, x.al)],
    [64, /lies behind/, (a) => a.org(0x7000)],
  ];
  for (const [bits, message, write] of refused)
    assert.throws(() => hex(bits, write), message, write.toString());
});
