/** Instructions as text: the forms that operands have. What every encoding reads like is compared in disassemble-objdump.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Decoded, decode, type ModeBits } from './decode.ts';
import { disassemble, disassembleBytes, undecodableText } from './disassemble.ts';
import { enc, instruction } from './instruction.ts';
import type { OperandSpec } from './operand.ts';
import { randomCode } from './testing/random-code.ts';

const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

function assertTexts(
  cases: Readonly<Record<string, string>>,
  modeBits: ModeBits = 64,
  rip = 0x401000n,
): void {
  for (const [hex, text] of Object.entries(cases))
    assert.equal(disassembleBytes(bytesOf(hex), modeBits, rip), text, hex);
}

test('registers of each size, and what REX makes of those of 8 bits', () => {
  assertTexts({
    '00 e1': 'add cl,ah',
    '40 00 e1': 'add cl,spl',
    '45 00 c8': 'add r8b,r9b',
    '66 41 01 c0': 'add r8w,ax',
    '01 d8': 'add eax,ebx',
    '4d 01 c0': 'add r8,r8',
    '66 0f fe c1': 'paddd xmm0,xmm1',
    '0f fe c1': 'paddd mm0,mm1',
    '0f 20 c3': 'mov rbx,cr0',
    '44 0f 22 c0': 'mov cr8,rax',
    '0f 23 fb': 'mov dr7,rbx',
    '8e d8': 'mov ds,eax',
    '66 8c e8': 'mov ax,gs',
    '0f a0': 'push fs',
  });
});

test('addresses: base, index, displacement, RIP, segment, size', () => {
  assertTexts({
    '48 03 44 8b 10': 'add rax,QWORD PTR [rbx+rcx*4+0x10]',
    '8b 45 f8': 'mov eax,DWORD PTR [rbp-0x8]',
    '8b 45 00': 'mov eax,DWORD PTR [rbp+0x0]',
    '8b 04 24': 'mov eax,DWORD PTR [rsp]',
    '8b 04 60': 'mov eax,DWORD PTR [rax+riz*2]',
    '8b 04 8d 00 00 00 00': 'mov eax,DWORD PTR [rcx*4+0x0]',
    '8b 04 25 f0 ff ff ff': 'mov eax,DWORD PTR ds:0xfffffffffffffff0',
    '64 48 8b 04 25 28 00 00 00': 'mov rax,QWORD PTR fs:0x28',
    '65 8a 00': 'mov al,BYTE PTR gs:[rax]',
    '67 8b 00': 'mov eax,DWORD PTR [eax]',
    '48 8d 05 f0 ff ff ff': 'lea rax,[rip+0xfffffffffffffff0] # 0x400ff7',
    '48 a1 00 00 00 00 00 00 00 80': 'movabs rax,ds:0x8000000000000000',
    d7: 'xlat BYTE PTR ds:[rbx]',
    '0f 28 00': 'movaps xmm0,XMMWORD PTR [rax]',
    '48 0f c7 09': 'cmpxchg16b OWORD PTR [rcx]',
    'ff 28': 'jmp FWORD PTR [rax]',
  });
});

test('addresses outside 64-bit mode', () => {
  assertTexts({ '8b 40 01': 'mov ax,WORD PTR [bx+si+0x1]', 'a1 34 12': 'mov ax,ds:0x1234' }, 16);
  assertTexts(
    { '8b 05 78 56 34 12': 'mov eax,DWORD PTR ds:0x12345678', '26 8b 03': 'mov eax,DWORD PTR es:[ebx]' },
    32,
  );
  assertTexts({ 'ea 78 56 34 12 08 00': 'jmp 0x8:0x12345678', '0f 01 18': 'lidt [eax]' }, 32);
});

test('immediates are as wide as what they are for', () => {
  assertTexts({
    '83 c0 ff': 'add eax,0xffffffff',
    '48 83 e4 f0': 'and rsp,0xfffffffffffffff0',
    'b0 80': 'mov al,0x80',
    '6a ff': 'push 0xffffffffffffffff',
    'd1 e0': 'shl eax,1',
    'c2 08 00': 'ret 0x8',
    'c8 10 80 01': 'enter 0x8010,0x1',
    '48 b8 ef cd ab 89 67 45 23 01': 'movabs rax,0x123456789abcdef',
  });
});

test('branches say where they go, and not beyond what RIP has', () => {
  assertTexts({ '75 fe': 'jne 0x401000', 'e8 00 10 00 00': 'call 0x402005', 'e3 00': 'jrcxz 0x401002' });
  assertTexts({ 'eb fe': 'jmp 0xffffffff81000000' }, 64, 0xffff_ffff_8100_0000n);
  assertTexts({ 'eb 7e': 'jmp 0x70' }, 16, 0xfff0n);
});

test('prefixes that mean something', () => {
  assertTexts({
    'f0 48 0f b1 0a': 'lock cmpxchg QWORD PTR [rdx],rcx',
    'f3 a4': 'rep movs BYTE PTR es:[rdi],BYTE PTR ds:[rsi]',
    'f3 48 ab': 'rep stos QWORD PTR es:[rdi],rax',
    'f2 ae': 'repnz scas al,BYTE PTR es:[rdi]',
    '64 67 66 a7': 'cmps WORD PTR fs:[esi],WORD PTR es:[edi]',
    'f3 6d': 'rep ins DWORD PTR es:[rdi],dx',
    'f3 c3': 'repz ret',
    'f2 ff e0': 'bnd jmp rax',
  });
});

test('names that depend on more than the opcode', () => {
  assertTexts({
    '66 98': 'cbw',
    '98': 'cwde',
    '48 99': 'cqo',
    '48 cf': 'iretq',
    '48 0f 07': 'sysretq',
    'f3 0f 1e fa': 'endbr64',
    '66 90': 'xchg ax,ax',
    '66 48 0f 6e c0': 'movq xmm0,rax',
    '66 0f 6e c0': 'movd xmm0,eax',
    'f2 0f c2 c1 02': 'cmplesd xmm0,xmm1',
    'f2 0f c2 c1 08': 'cmpsd xmm0,xmm1,0x8',
    '66 0f 3a 44 c1 11': 'pclmulhqhqdq xmm0,xmm1',
    '66 0f 3a 61 c1 05': 'pcmpestri xmm0,xmm1,0x5',
    '66 0f 38 14 c1': 'blendvps xmm0,xmm1,xmm0',
    'c4 e2 68 f2 c3': 'andn eax,edx,ebx',
    '0f ae e8': 'lfence',
  });
});

/** An instruction with ModRM c1, if it were that of an encoding. */
function asIf(
  mnemonic: string,
  notation: string,
  ...operands: Omit<OperandSpec, 'name' | 'access'>[]
): Decoded {
  const base = decode(bytesOf('00 c1'), 64);
  assert(typeof base === 'object');
  const specs = operands.map((operand): OperandSpec => ({ ...operand, name: 'x', access: 'read' }));
  const encoding = enc('M', notation, ...specs);
  return { ...base, encoding, instruction: instruction(mnemonic, { encodings: [encoding], semantics() {} }) };
}

test('x87 registers: the top of the stack is ST where no other can be meant', () => {
  const top = { source: 'implied', registers: 'x87', width: 80, implied: 0 } as const;
  const any = { source: 'rm-register', registers: 'x87', width: 80 } as const;
  assert.equal(disassemble(asIf('FADD', 'D8 /0', top, any), 0n), 'fadd st,st(1)');
  assert.equal(disassemble(asIf('FXCH', 'D9 /1', any), 0n), 'fxch st(1)');
});

test('what is no instruction is shown as bytes, as many as one can have', () => {
  assertTexts({ '0f 0a': '(bad) 0f 0a', 'f0 01 c3': '(bad) f0 01 c3' });
  assert.equal(undecodableText(new Uint8Array(20).fill(0x66)), `(bad)${' 66'.repeat(15)}`);
});

test('random bytes have a text in every mode, with nothing missing in it', () => {
  for (const code of randomCode(0xd15a, 10_000)) {
    for (const modeBits of [16, 32, 64] as const) {
      const text = disassembleBytes(code, modeBits, 0xffff_ffff_ffff_fff0n);
      assert.match(text, /^(\(bad\)( [0-9a-f]{2})+|[a-z][a-z0-9]+.*)$/);
      assert.doesNotMatch(text, /undefined|NaN|null|\[\]|,,|[, ]$/);
    }
  }
});
