import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MOST_LINES, MOST_PER_VCPU, onceEach, UndefinedInstructions } from './undefined-instructions.ts';
import type { UndefinedInstruction } from './worker-protocol.ts';

const at = (gva: bigint, text = '(bad) 0f a6'): UndefinedInstruction => ({ gva, text });

describe("a vCPU's thread", () => {
  test('posts the same instruction once, and another at the same place', () => {
    const posted: UndefinedInstruction[] = [];
    const tell = onceEach((it) => posted.push(it));
    for (const it of [at(16n), at(16n), at(17n), at(16n, '(bad) c5 f8'), at(17n)]) tell(it);
    assert.deepEqual(posted, [at(16n), at(17n), at(16n, '(bad) c5 f8')]);
  });

  test('posts a bounded number', () => {
    let posts = 0;
    const tell = onceEach(() => posts++);
    for (let gva = 0n; gva < 1000n; gva++) tell(at(gva));
    assert.equal(posts, MOST_PER_VCPU);
  });
});

describe("the VM's process", () => {
  test('says vCPU, address and bytes in one line, and what was said by another vCPU not again', () => {
    const lines: string[] = [];
    const reports = new UndefinedInstructions((line) => lines.push(line));
    reports.report(3, at(0xffff_ffff_8100_0000n));
    reports.report(1, at(0xffff_ffff_8100_0000n));
    reports.report(0, at(0xd000_0000n, ''));
    assert.deepEqual(lines, [
      "vCPU 3: #UD at 0xffffffff81000000, where no instruction of the engine's is: (bad) 0f a6.",
      'vCPU 0: #UD at 0xd0000000, where no memory is.',
    ]);
  });

  test('prints a bounded number of lines, and says when it has', () => {
    const lines: string[] = [];
    const reports = new UndefinedInstructions((line) => lines.push(line));
    for (let gva = 0n; gva < 1000n; gva++) reports.report(0, at(gva));
    assert.equal(lines.length, MOST_LINES + 1);
    assert.match(lines.at(-1)!, /No more/);
  });
});
