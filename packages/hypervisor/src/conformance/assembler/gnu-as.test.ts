/** The assembler against GNU as and objdump, where the machine has them: the same instructions, read back as text. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { assemble, type CodeBits } from '../assembler.ts';
import { instructionPairs } from './testing/instruction-pairs.ts';

const found = ['as', 'objcopy', 'objdump'].every((tool) => spawnSync(tool, ['--version']).status === 0);
const skip = found ? false : 'needs GNU binutils: apt-get install binutils';

for (const bits of [16, 32, 64] as const) {
  test(`agrees with GNU as on ${bits}-bit code`, { skip }, () => {
    const pairs = instructionPairs(bits);
    const ours = assemble({ origin: 0, bits }, (a) => {
      for (const [, write] of pairs) write(a);
    });
    const texts = pairs.map(([text]) => text);
    const expected = disassemble(bits, gnuAssemble(bits, texts));
    assert.ok(expected.length >= pairs.length);
    assert.deepEqual(disassemble(bits, ours.bytes), expected);
  });
}

function withDirectory<T>(work: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'vireo-assembler-'));
  try {
    return work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function gnuAssemble(bits: CodeBits, lines: readonly string[]): Uint8Array {
  return withDirectory((directory) => {
    const source = join(directory, 'source.s');
    const object = join(directory, 'object.o');
    const binary = join(directory, 'binary');
    writeFileSync(source, `.intel_syntax noprefix\n.code${bits}\n${lines.join('\n')}\n`);
    execFileSync('as', ['--no-warn', bits === 64 ? '--64' : '--32', '-o', object, source]);
    execFileSync('objcopy', ['-O', 'binary', '-j', '.text', object, binary]);
    return readFileSync(binary);
  });
}

/** Instructions as text, without addresses and bytes: encodings of the same instruction compare equal. */
function disassemble(bits: CodeBits, bytes: Uint8Array): string[] {
  return withDirectory((directory) => {
    const binary = join(directory, 'binary');
    writeFileSync(binary, bytes);
    const machine = { 16: 'i8086', 32: 'i386', 64: 'i386:x86-64' }[bits];
    const options = ['-D', '-b', 'binary', '-m', machine, '-M', 'intel', '--no-show-raw-insn'];
    const text = execFileSync('objdump', [...options, binary], { encoding: 'utf8', maxBuffer: 1 << 24 });
    const lines = [...text.matchAll(/^ *[0-9a-f]+:\t(.*)$/gm)].map((match) => match[1]!.trim());
    // The accumulator's short form with an address is shown without the operand's width.
    return lines.map((line) => line.replace(/^(mov .*?)(?:BYTE|WORD|DWORD) PTR ds:/, '$1ds:'));
  });
}
