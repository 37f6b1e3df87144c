/** The disassembler against GNU binutils' objdump: the code of a real program, and every encoding of the table. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { decode } from './decode.ts';
import { disassembleBytes } from './disassemble.ts';
import { encodingSamples } from './testing/encoding-samples.ts';
import { type Line, objdump, objdumpMissing } from './testing/objdump.ts';

const skip = objdumpMissing ?? false;
/** Twice what an instruction can have, so that objdump finds the next whatever it takes one for. */
const SLOT_BYTES = 32;
const NOP = 0x90;

/** Where objdump is right to write something else, or is wrong. */
const ACCEPTED: readonly { readonly why: string; readonly theirs: RegExp; readonly ours: RegExp }[] = [
  {
    why: 'hints that are new instructions elsewhere, and do nothing here',
    theirs: /^(bnd(mov|ldx|stx|cl|cn|cu|mk)|prefetch(it[01]|wt1)?|cldemote|rdssp[dq]) /,
    ours: /^(repn?z |bnd )?(nop|prefetchw) /,
  },
  {
    why: '66 before a near branch, of which Intel takes no notice and AMD does (Intel SDM Vol. 2A "CALL—Call Procedure")',
    theirs: /^(bnd )?(retw|((call|jmp) (WORD PTR|[a-d]x|[sd]i|[sb]p|r\d+w)))/,
    ours: /^(bnd )?(ret|((call|jmp) (QWORD PTR|r)))/,
  },
  {
    why: 'REX.W makes no difference to a mask that has few bits',
    theirs: /^p?movmsk(b|ps|pd) r/,
    ours: /^p?movmsk(b|ps|pd) (e|r\d+d)/,
  },
  {
    why: 'addresses of 32 bits relative to EIP have no more of them',
    theirs: /\[eip\+0xffffffff/,
    ours: /\[eip\+0x[89a-f]/,
  },
  {
    why: 'a negative displacement without any register, of which objdump writes the sign in 32-bit mode only',
    theirs: /\[eiz\*\d\+0x[89a-f]\w{7}\]/,
    ours: /\[eiz\*\d-0x/,
  },
  {
    why: 'UD0 and UD1 do nothing with operands of any size',
    theirs: /^ud[01] /,
    ours: /^ud[01] (e..|r\d+d),/,
  },
  {
    why: 'far pointers with both 66 and REX.W, which counts',
    theirs: /^(l[fgs]s|call|jmp) (r\w+,)?DWORD PTR/,
    ours: /^(l[fgs]s|call|jmp) (r\w+,)?FWORD PTR/,
  },
  {
    why: 'of the 8087 alone',
    theirs: /^(fneni|fndisi)\(8087 only\)$|^fnsetpm\(287 only\)$/,
    ours: /^(fneni|fndisi|fnsetpm)$/,
  },
  {
    why: 'REX.W counts more than 66',
    theirs: /^(frstor|fnsave|fldenv|fnstenv)w /,
    ours: /^(frstor|fnsave|fldenv|fnstenv) /,
  },
  { why: '66 makes no difference to it', theirs: /^\(bad\)$/, ours: /^wbinvd$/ },
  { why: 'NOP with both 66 and REX.W', theirs: /^xchg rax,rax$/, ours: /^nop$/ },
  { why: 'with REX.B it is XCHG of R8', theirs: /^pause$/, ours: /^repz xchg r8d?,[er]ax$/ },
];

function isAccepted(theirs: string, ours: string): boolean {
  return ACCEPTED.some((one) => one.theirs.test(theirs) && one.ours.test(ours));
}

/** @returns what is not the same, and how many lines are instructions for us */
function compare(lines: readonly Line[]): { differences: string[]; decoded: number } {
  const differences: string[] = [];
  let decoded = 0;
  for (const { address, bytes, text } of lines) {
    const ours = disassembleBytes(bytes, 64, address);
    if (ours.startsWith('(bad)')) continue;
    decoded++;
    if (ours !== text && !isAccepted(text, ours))
      differences.push(`${Buffer.from(bytes).toString('hex')}: ${ours}, objdump: ${text}`);
  }
  return { differences: differences.slice(0, 10), decoded };
}

test('a program reads as objdump writes it', { skip }, () => {
  const [start, lengthBytes] = [0x1000000, 0x40000];
  const range = [`--start-address=${start}`, `--stop-address=${start + lengthBytes}`];
  const lines = objdump(['--disassemble', '--section=.text', ...range, process.execPath]);
  const { differences, decoded } = compare(lines);
  assert.deepEqual(differences, []);
  assert(lines.length > 50_000 && decoded > 0.99 * lines.length, `${decoded} of ${lines.length}`);
});

function disassembledSlots(code: Uint8Array): Line[] {
  const directory = mkdtempSync(join(tmpdir(), 'vireo-disassemble-'));
  try {
    const file = join(directory, 'code');
    writeFileSync(file, code);
    const lines = objdump(['--disassemble-all', '--target=binary', '--architecture=i386:x86-64', file]);
    return lines.filter(({ address }) => address % BigInt(SLOT_BYTES) === 0n);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('every encoding of the table reads as objdump writes it', { skip }, () => {
  const all = [...encodingSamples(0xd15a, 6)].flatMap((bytes) => {
    const decoded = decode(bytes, 64);
    return typeof decoded === 'string' ? [] : [bytes.subarray(0, decoded.lengthBytes)];
  });
  const code = new Uint8Array(all.length * SLOT_BYTES).fill(NOP);
  for (const [place, bytes] of all.entries()) code.set(bytes, place * SLOT_BYTES);
  const lines = disassembledSlots(code);
  assert.equal(lines.length, all.length);
  const { differences, decoded } = compare(lines);
  assert.deepEqual(differences, []);
  // But for branches with 66, which objdump has end earlier.
  assert(decoded > 0.99 * all.length, `${decoded} of ${all.length}`);
});
