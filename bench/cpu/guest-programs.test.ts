import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { COMPILER_MISSING, compilerVersion, guestPrograms } from './guest-programs.ts';
import { instructionsPerIteration, slope } from './instruction-count.ts';
import { CPU_PROGRAMS, type CpuProgram } from './programs.ts';
import { nativeSubject } from './subjects.ts';

const skip = compilerVersion() === undefined ? COMPILER_MISSING : false;
/** Of the default. */
const SHARE = 0.01;

async function runNatively(program: CpuProgram, iterations: number, threads = 1) {
  return await nativeSubject((await guestPrograms()).directory).run(program, iterations, threads);
}

function programNamed(name: string): CpuProgram {
  return CPU_PROGRAMS.find((program) => program.name === name)!;
}

test('every program is built, is in the initramfs, and has an init', { skip }, async () => {
  const { initrd } = await guestPrograms();
  const archive = readFileSync(initrd).toString('latin1');
  for (const path of ['init', 'dev/console', ...CPU_PROGRAMS.map(({ name }) => `bin/${name}`)])
    assert.ok(archive.includes(`${path}\0`), path);
});

test('a program computes the same each time, and something else in other iterations', { skip }, async () => {
  for (const program of CPU_PROGRAMS as readonly CpuProgram[]) {
    const iterations = Math.ceil(program.iterations * SHARE);
    const first = await runNatively(program, iterations);
    assert.equal(first.iterations, iterations);
    assert.ok(first.nanoseconds > 0, program.name);
    assert.equal((await runNatively(program, iterations)).checksum, first.checksum, program.name);
    assert.notEqual((await runNatively(program, iterations + 1)).checksum, first.checksum, program.name);
  }
});

test("SHA-256 is the one of Node's library", { skip }, async () => {
  const message = Buffer.from(Array.from({ length: 4096 }, (_, i) => i * 7));
  const first = createHash('sha256').update(message).digest();
  message.set(first);
  const second = createHash('sha256').update(message).digest('hex');
  const { checksum } = await runNatively(programNamed('sha256'), 2);
  assert.equal(checksum, second.slice(0, 16));
});

test('atomic increments come to the same sums with any number of threads', { skip }, async () => {
  const runs = [1, 2, 3, 8].map((threads) => runNatively(programNamed('atomics'), 100_003, threads));
  const checksums = new Set((await Promise.all(runs)).map(({ checksum }) => checksum));
  assert.equal(checksums.size, 1);
});

test('a program without iterations says how it is used', { skip }, async () => {
  await assert.rejects(runNatively(programNamed('lz'), 0), { message: /status 1.*usage/s });
});

test('instructions are counted by single steps, and kept', { skip }, async () => {
  const { directory } = await guestPrograms();
  // Its loop is some 30 instructions: what the count of a program is made of, in little time.
  const count = await instructionsPerIteration(directory, 'syscalls');
  assert.ok(count > 10 && count < 100, `${count}`);
  assert.ok(existsSync(join(directory, 'syscalls.instructions')));
});

test('counts that are no multiples have no instructions an iteration', () => {
  assert.equal(slope([1046, 57_109, 113_172]), 56_063);
  assert.equal(slope([10, 20, 31]), undefined);
  assert.equal(slope([10, 10, 10]), undefined);
  assert.equal(slope([10]), undefined);
});
