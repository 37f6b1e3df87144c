import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CPU_STATE, CPU_STATE_SPAN_BYTES, CPU_STATE_STRIDE_BYTES } from './cpu-state.ts';
import { CONTROLS, MAX_VCPUS, vcpuArea } from './memory-map.ts';

const ADDRESSES_OF_RECORDS = 2 ** 16;
const CACHE_LINE_BYTES = 64;

test('what records have addresses of is in the first 64 KiB, for each of 64 vCPUs', () => {
  assert.equal(MAX_VCPUS, 64);
  const { state } = vcpuArea(MAX_VCPUS - 1);
  assert.ok(state + CPU_STATE_STRIDE_BYTES <= ADDRESSES_OF_RECORDS);
  for (const name of ['general', 'zero', 'segmentBases', 'codeBase', 'x87', 'xmm'] as const)
    assert.ok(CPU_STATE[name].offset < CPU_STATE_STRIDE_BYTES, name);
});

test('no two vCPUs share a field or a cache line', () => {
  assert.equal(CPU_STATE_STRIDE_BYTES % CACHE_LINE_BYTES, 0);
  for (const [name, { offset, lengthBytes }] of Object.entries(CPU_STATE)) {
    const start = offset < CPU_STATE_STRIDE_BYTES ? 0 : CPU_STATE_SPAN_BYTES - CPU_STATE_STRIDE_BYTES;
    assert.ok(offset >= start && offset + lengthBytes <= start + CPU_STATE_STRIDE_BYTES, name);
  }
});

test('states end before what is behind them in memory', () => {
  assert.ok(vcpuArea(MAX_VCPUS - 1).state + CPU_STATE_SPAN_BYTES <= CONTROLS);
});
