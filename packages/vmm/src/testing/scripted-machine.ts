/** Virtual machines on the scripted accelerator, and what must hold after each of them. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VmConfig } from '../config.ts';
import { alive } from './hooked-worker.ts';
import { withinMs } from './run-vcpus.ts';
import { type Scenario, stage } from './scripted-kvm.ts';
import { CONTROL } from './scripted-seed.ts';
import { smallKernel } from './small-kernel.ts';

export const LIMIT_MS = 60_000;

/** A console's output as text. */
export class Transcript extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString('latin1');
    done();
  }
}

export class Bench implements Disposable {
  readonly output = new Transcript();
  readonly input = new PassThrough();
  readonly directory = mkdtempSync(join(tmpdir(), 'vireo-machine-'));
  readonly #openFiles: number;

  constructor(scenario: Scenario) {
    Object.assign(stage, { scenario, violations: [], vms: 0, lines: [], seeds: [], backings: [] });
    writeFileSync(this.#kernel, smallKernel());
    this.#openFiles = readdirSync('/proc/self/fd').length;
  }

  get #kernel(): string {
    return join(this.directory, 'vmlinux');
  }

  config(part: Partial<VmConfig> = {}): VmConfig {
    return {
      name: 'scripted',
      accelerator: 'kvm',
      cpus: stage.scenario.cycles[0]!.length,
      memoryBytes: 64 * 2 ** 20,
      kernel: this.#kernel,
      commandLine: 'console=ttyS0',
      noReboot: false,
      cacheDirectory: this.directory,
      console: () => ({ input: this.input, output: this.output }),
      ...part,
    };
  }

  /** Nothing is left, and nothing was used in the wrong order. */
  async assertClean(): Promise<void> {
    // Threads say their last word before they end.
    const ended = async () => {
      while (alive.size > 0) await sleep(2);
    };
    await withinMs(LIMIT_MS, ended());
    assert.deepEqual(stage.violations, []);
    const { openVms, openHandles, openHypervisors } = stage;
    assert.deepEqual(
      { openVms, openHandles, openHypervisors },
      { openVms: 0, openHandles: 0, openHypervisors: 0 },
    );
    for (const { id, control } of stage.seeds)
      assert.equal(new Int32Array(control)[CONTROL.usedAfterClose], 0, `vCPU ${id} used a closed VM`);
    assert.ok(
      stage.backings.every(({ byteLength }) => byteLength === 0),
      'guest RAM is still mapped',
    );
    for (const event of ['data', 'drain', 'close'])
      assert.equal(this.input.listenerCount(event) + this.output.listenerCount(event), 0, event);
    assert.equal(readdirSync('/proc/self/fd').length, this.#openFiles, 'open files');
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}
