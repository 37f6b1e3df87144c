import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

/** Enough for Node, not for the engine's memory and what V8 reserves behind it. */
const LIMIT_KIB = 5_000_000;
const PROGRAM = `
  const { openEngine } = await import(process.argv[1]);
  const engine = await openEngine();
  try { engine.createVm(); } catch ({ name, code, message }) { console.log(JSON.stringify({ name, code, message })); }
`;

test('too little address space is what the host refuses, not a bug', () => {
  const node = [
    process.execPath,
    '--input-type=module',
    '-e',
    PROGRAM,
    join(import.meta.dirname, 'index.ts'),
  ];
  const command = `ulimit -v ${LIMIT_KIB} && exec "$@"`;
  const { stdout, stderr } = spawnSync('/bin/sh', ['-c', command, 'sh', ...node], { encoding: 'utf8' });
  assert.notEqual(stdout, '', stderr);
  const { name, code, message } = JSON.parse(stdout) as Record<string, string>;
  assert.deepEqual({ name, code }, { name: 'HostError', code: 'ENOMEM' });
  assert.match(message!, /4 GiB of addresses/);
});
