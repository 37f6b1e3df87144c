import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cacheDirectory, runtimeDirectory, stateDirectory } from './xdg.ts';

test('directories are below the variables, where they are set', () => {
  const environment = { XDG_CACHE_HOME: '/c', XDG_STATE_HOME: '/s', XDG_RUNTIME_DIR: '/r', HOME: '/h' };
  assert.equal(cacheDirectory(environment), '/c/vireo');
  assert.equal(stateDirectory(environment), '/s/vireo');
  assert.equal(runtimeDirectory(environment), '/r/vireo');
});

test('directories are below the home directory otherwise; there is no default for sockets', () => {
  assert.equal(cacheDirectory({ HOME: '/h' }), '/h/.cache/vireo');
  assert.equal(stateDirectory({ HOME: '/h' }), '/h/.local/state/vireo');
  assert.equal(runtimeDirectory({ HOME: '/h' }), undefined);
});

test('relative paths are invalid and ignored', () => {
  const environment = { XDG_CACHE_HOME: 'c', XDG_RUNTIME_DIR: './r', HOME: '/h' };
  assert.equal(cacheDirectory(environment), '/h/.cache/vireo');
  assert.equal(runtimeDirectory(environment), undefined);
});
