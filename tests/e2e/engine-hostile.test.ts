/** `vireo run` with the engine and kernels that do what none should: they stop as on a processor, and never the VM process. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { TerminalProcess } from '../../packages/cli/src/testing/test-process.ts';
import { GuestSession } from './guest-session.ts';
import { BUSY_KERNELS, FAULTING_KERNELS, type HostileKernel, STARTED } from './hostile-kernels.ts';

const directory = mkdtempSync(join(tmpdir(), 'vireo-hostile-'));
after(() => rmSync(directory, { recursive: true }));

/** Far above what a busy machine takes. */
const END_LIMIT_MS = 20_000;
const ENGINE = ['--accel', 'wasm', '--no-reboot', '--memory', '64M'];

function argumentsFor({ does, file }: HostileKernel, cpus = 1): string[] {
  const path = join(directory, does.replaceAll(' ', '-'));
  writeFileSync(path, file);
  return [...ENGINE, '--kernel', path, '--cpus', `${cpus}`];
}

describe('a triple fault, status 1 and one line that says where', { timeout: 300_000 }, () => {
  for (const kernel of FAULTING_KERNELS)
    test(kernel.does, async () => {
      await using guest = GuestSession.onPipes(...argumentsFor(kernel));
      assert.deepEqual(await guest.process.exit, { status: 1, signal: null });
      const rip = kernel.faultsAt?.toString(16) ?? '[0-9a-f]+';
      assert.match(
        guest.process.errors,
        new RegExp(`^vireo: vCPU 0 stopped: triple fault at rip 0x${rip}: [^\\n]*\\n$`),
      );
    });
});

describe('a busy guest with interrupts off leaves the VM process responsive', { timeout: 300_000 }, () => {
  for (const kernel of BUSY_KERNELS) {
    test(`${kernel.does}: a second SIGTERM ends it`, async () => {
      await using guest = GuestSession.onPipes(...argumentsFor(kernel, 4));
      guest.process.waitLimitMs = END_LIMIT_MS;
      await guest.process.waitFor(new RegExp(STARTED));
      guest.process.signal('SIGTERM');
      await guest.process.waitFor(/pressed the power button/);
      guest.process.signal('SIGTERM');
      assert.deepEqual(await guest.process.exit, { status: 1, signal: null });
      assert.match(guest.process.errors, /\nvireo: ended the VM at once \(SIGTERM\)[^\n]*\n$/);
    });

    test(`${kernel.does}: Ctrl-] ends it`, async () => {
      await using guest = GuestSession.onTerminal(...argumentsFor(kernel, 4));
      const terminal = guest.process as TerminalProcess;
      terminal.waitLimitMs = END_LIMIT_MS;
      await guest.process.waitFor(new RegExp(STARTED));
      guest.send('\x1d');
      assert.deepEqual(await terminal.exit, { status: 0, signal: null });
      assert.equal(terminal.isRaw(), false);
      assert.match(guest.output, /vireo: ended the VM \(Ctrl-\]\)/);
    });
  }
});
