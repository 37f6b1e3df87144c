/** `vireo run --verbose` with the engine says which instructions of the guest it lacks: each once, and not without end. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { MOST_PER_VCPU } from '../../packages/vmm/src/vcpu/undefined-instructions.ts';
import { GuestSession } from './guest-session.ts';
import type { HostileKernel } from './hostile-kernels.ts';
import { FEW_LACKING, MANY_LACKING } from './lacking-kernels.ts';

const directory = mkdtempSync(join(tmpdir(), 'vireo-lacking-'));
after(() => rmSync(directory, { recursive: true }));

/** The status that the debug-exit device makes of 0. */
const EXIT_STATUS = 1;

function argumentsFor({ file }: HostileKernel, ...more: string[]): string[] {
  const path = join(directory, 'kernel');
  writeFileSync(path, file);
  return ['--accel', 'wasm', '--no-reboot', '--memory', '64M', '--kernel', path, ...more];
}

const line = (bytes: string): string =>
  `vireo: vCPU 0: #UD at 0x[0-9a-f]+, where no instruction of the engine's is: \\(bad\\) ${bytes}( [0-9a-f]{2}){11}\\.`;

describe('an instruction that the engine lacks', { timeout: 120_000 }, () => {
  test('is one line with --verbose, and UD2 is none', async () => {
    await using guest = GuestSession.onPipes(...argumentsFor(FEW_LACKING, '--verbose'));
    assert.deepEqual(await guest.process.exit, { status: EXIT_STATUS, signal: null });
    assert.match(guest.process.errors, new RegExp(`^${line('c5 f8 58 c1')}\\n${line('0f a6 c8 90')}\\n$`));
  });

  test('is a line of its own on a raw terminal', async () => {
    await using guest = GuestSession.onTerminal(...argumentsFor(FEW_LACKING, '--verbose'));
    assert.deepEqual(await guest.process.exit, { status: EXIT_STATUS, signal: null });
    assert.match(guest.output, new RegExp(`${line('c5 f8 58 c1')}\\r\\n${line('0f a6 c8 90')}\\r\\n`));
  });

  test('is nothing to say for who does not ask', async () => {
    await using guest = GuestSession.onPipes(...argumentsFor(FEW_LACKING, '--cpus', '12'));
    assert.deepEqual(await guest.process.exit, { status: EXIT_STATUS, signal: null });
    assert.equal(guest.process.errors, '');
  });

  test('does not flood the terminal when a guest has it in thousands of places', async () => {
    await using guest = GuestSession.onPipes(...argumentsFor(MANY_LACKING, '--verbose'));
    assert.deepEqual(await guest.process.exit, { status: EXIT_STATUS, signal: null });
    const lines = guest.process.errors.trimEnd().split('\n');
    assert.equal(lines.length, MOST_PER_VCPU);
  });
});
