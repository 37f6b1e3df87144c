/** What a VM must not leave behind: processes and temporary files, those in the cache too. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectory } from '@vireo/images';

export class LeftBehind {
  readonly #before = temporaries();

  /** @throws AssertionError that names what is new. */
  check(): void {
    assert.deepEqual(temporaries(), this.#before, 'temporary files left behind');
    const { stdout } = spawnSync('ps', ['-e', '-o', 'pid=,args='], { encoding: 'utf8' });
    assert.doesNotMatch(stdout, /^.*vireo: .*$/m, 'a process left behind');
  }
}

function temporaries(): string[] {
  return [
    ...globSync(join(tmpdir(), '*')),
    ...globSync(join(cacheDirectory(), '**/{.tmp-*,*.tmp,*.part}')),
  ].sort();
}
