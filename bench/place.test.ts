import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BenchOptions } from './options.ts';
import { type HostKvm, type Plan, plan as planFor } from './place.ts';

const ABLE = { kind: 'able' } as const;
const LIMITED = { kind: 'limited', why: 'it lacks SSE2' } as const;
const NONE = { kind: 'none', why: 'there is no /dev/kvm' } as const;

const plan = (options: Pick<BenchOptions, 'benchmark' | 'on'>, kvm: HostKvm): Plan =>
  planFor({ accelerator: 'kvm', ...options }, kvm);

test('a KVM that runs unmodified kernels needs no lab', () => {
  for (const benchmark of ['boot', 'exits'] as const)
    assert.deepEqual(plan({ benchmark, on: 'auto' }, ABLE), { here: 'everything', lab: false });
});

test('without KVM all is done in the lab, and a line says why', () => {
  const { here, lab, remark } = plan({ benchmark: 'boot', on: 'auto' }, NONE);
  assert.deepEqual({ here, lab }, { here: 'nothing', lab: true });
  assert.match(remark ?? '', /no \/dev\/kvm/);
  assert.throws(() => plan({ benchmark: 'boot', on: 'host' }, NONE), { code: 'bench-no-kvm' });
});

test('a limited KVM runs exits and tiny guests, and the lab everything of boot', () => {
  assert.equal(plan({ benchmark: 'exits', on: 'auto' }, LIMITED).here, 'everything');
  assert.equal(plan({ benchmark: 'exits', on: 'auto' }, LIMITED).lab, false);
  assert.equal(plan({ benchmark: 'boot', on: 'auto' }, LIMITED).here, 'tiny guests');
  assert.equal(plan({ benchmark: 'boot', on: 'auto' }, LIMITED).lab, true);
  assert.equal(plan({ benchmark: 'boot', on: 'host' }, LIMITED).lab, false);
});

test('the lab can be asked for', () => {
  for (const kvm of [ABLE, LIMITED, NONE])
    assert.deepEqual(plan({ benchmark: 'exits', on: 'lab' }, kvm), { here: 'nothing', lab: true });
});

test('engines in software run here, whatever KVM there is, and not in the lab', () => {
  for (const kvm of [ABLE, LIMITED, NONE])
    for (const benchmark of ['boot', 'cpu'] as const) {
      const options = { benchmark, accelerator: 'wasm' } as const;
      assert.deepEqual(planFor({ ...options, on: 'auto' }, kvm), { here: 'everything', lab: false });
      assert.throws(() => planFor({ ...options, on: 'lab' }, kvm), { code: 'bench-usage' });
    }
});
