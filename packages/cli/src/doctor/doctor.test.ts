import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { AMD_CPUINFO, FakeHost, type FakeTree, GOOD_FACTS, GOOD_HOST } from '../testing/fake-host.ts';
import { examine, type HostFacts } from './examine.ts';
import { checkKvmDevice, type Identity } from './kvm.ts';
import { chosen } from './memory.ts';
import { parseCpuinfo } from './processor.ts';
import type { Check, DoctorReport } from './report.ts';
import { checkNode } from './software.ts';
import { formatText } from './text-report.ts';

const schema: object = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../doctor-report.schema.json'), 'utf8'),
);
const matchesSchema = new Ajv2020().compile(schema);

function examineHost(changes: FakeTree = {}, facts: Partial<HostFacts> = {}): DoctorReport {
  using host = new FakeHost(changes);
  const report = examine(host.files, { ...GOOD_FACTS, ...facts });
  assert.ok(matchesSchema(report), JSON.stringify(matchesSchema.errors));
  assert.equal(
    report.canRunVms,
    report.checks.every(({ status }) => status !== 'fail'),
  );
  return report;
}

function check(id: string, changes: FakeTree = {}, facts: Partial<HostFacts> = {}): Check {
  const { checks } = examineHost(changes, facts);
  return checks.find((it) => it.id === id) ?? assert.fail(`no check ${id}`);
}

const NO_ENGINE = { kind: 'error', message: "the engine's interpreter.wasm is missing" } as const;

test('a host with everything passes every check', () => {
  const { checks, canRunVms, accelerator } = examineHost();
  assert.deepEqual(
    checks.filter(({ status }) => status !== 'ok'),
    [],
  );
  assert.equal(canRunVms, true);
  assert.equal(accelerator, 'kvm');
});

test('a host with nothing at all is examined all the same', () => {
  const nothing = Object.fromEntries(Object.keys(GOOD_HOST).map((path) => [path, undefined]));
  const facts = { landlockAbi: () => 0, engine: NO_ENGINE };
  const { canRunVms, accelerator, checks } = examineHost(nothing, facts);
  assert.deepEqual({ canRunVms, accelerator }, { canRunVms: false, accelerator: null });
  assert.ok(checks.filter(({ status }) => status !== 'ok').length >= 10);
});

describe('/dev/kvm', () => {
  const gone = { '/dev/kvm': undefined };
  const noModule = { '/sys/module/kvm_amd/parameters/nested': undefined };
  const noSvm = { '/proc/cpuinfo': AMD_CPUINFO.replaceAll(' svm', '') };
  const device = (changes: FakeTree) => check('kvm-device', changes);

  test('the module is not loaded: which one', () => {
    const { status, found, advice } = device({ ...gone, ...noModule });
    assert.equal(status, 'warn');
    assert.match(found, /kvm_amd is not loaded/);
    assert.match(advice!, /modprobe kvm_amd/);
    const intel = AMD_CPUINFO.replaceAll('AuthenticAMD', 'GenuineIntel').replaceAll(' svm', ' vmx');
    assert.match(device({ ...gone, ...noModule, '/proc/cpuinfo': intel }).advice!, /modprobe kvm_intel/);
  });

  test('no virtualization: the firmware, or the host above this virtual machine', () => {
    assert.match(device({ ...gone, ...noModule, ...noSvm }).advice!, /in the firmware setup/);
    const virtual = AMD_CPUINFO.replaceAll(' svm', ' hypervisor');
    assert.match(
      device({ ...gone, ...noModule, '/proc/cpuinfo': virtual }).advice!,
      /turn on nested virtualization/,
    );
  });

  test('a container without the device', () => {
    for (const [path, text, kind] of [
      ['/.dockerenv', '', 'docker'],
      ['/run/.containerenv', 'engine="podman"', 'podman'],
      ['/proc/1/environ', 'A=b\0container=lxc\0', 'lxc'],
      ['/run/systemd/container', 'systemd-nspawn', 'systemd-nspawn'],
    ] as const) {
      const { found, advice } = device({ ...gone, [path]: text });
      assert.match(found, new RegExp(`container \\(${kind}\\)`));
      assert.match(advice!, /\/dev\/kvm/);
    }
  });

  test('no permission: the group, or a new login', () => {
    using host = new FakeHost({ '/etc/group': 'root:x:0:\nkvm:x:104:ann\n' });
    const { files } = host;
    const { gid } = files.stat('/dev/kvm')!;
    using owned = new FakeHost({ '/etc/group': `staff:x:${gid}:ann,ben\n` });
    const of = (identity: Partial<Identity>) =>
      checkKvmDevice(owned.files, parseCpuinfo(AMD_CPUINFO), {
        uid: 4242,
        user: 'carl',
        gids: [4242],
        ...identity,
      });
    assert.match(of({}).found, /you may not use it/);
    if (gid !== 0) {
      assert.match(of({}).advice!, /sudo usermod -aG staff carl, then log in again/);
      assert.match(of({ user: 'ben' }).advice!, /You are in its group staff since your last login/);
    } else assert.match(of({}).advice!, /sudo chgrp kvm \/dev\/kvm/);
    assert.equal(of({ gids: [4242, gid] }).status, 'ok');
    assert.equal(of({ uid: 0 }).status, 'ok');
  });

  test('it is there for everybody', () => {
    using host = new FakeHost({ '/dev/kvm': { text: '', mode: 0o666 } });
    const identity: Identity = { uid: 4242, user: 'carl', gids: [4242] };
    assert.equal(checkKvmDevice(host.files, parseCpuinfo(AMD_CPUINFO), identity).status, 'ok');
  });

  test('what may not be opened is not probed', () => {
    const probeKvm = () => assert.fail('probed');
    assert.equal(examineHost(gone, { probeKvm }).accelerator, 'wasm');
  });

  test('a KVM that cannot run kernels', () => {
    const { status, found } = check(
      'kvm-probe',
      {},
      { probeKvm: () => ({ kind: 'unable', missing: ['SSE2', 'CMPXCHG16B'] }) },
    );
    assert.equal(status, 'warn');
    assert.match(found, /could not run SSE2, CMPXCHG16B/);
  });

  test('a KVM that cannot be opened', () => {
    const probeKvm = () => ({ kind: 'error', message: 'open /dev/kvm: no such device (ENODEV)' }) as const;
    assert.equal(check('kvm-probe', {}, { probeKvm }).found, 'open /dev/kvm: no such device (ENODEV)');
  });

  test('nested VMs', () => {
    for (const [text, status] of [
      ['1', 'ok'],
      ['Y', 'ok'],
      ['0', 'warn'],
      ['N', 'warn'],
    ] as const)
      assert.equal(check('nested', { '/sys/module/kvm_amd/parameters/nested': text }).status, status);
  });
});

describe("Vireo's engine", () => {
  const noKvm = { '/dev/kvm': undefined };

  test('runs guests where KVM is missing or cannot run kernels', () => {
    const unable = { kind: 'unable', missing: ['SSE2'] } as const;
    for (const report of [examineHost(noKvm), examineHost({}, { probeKvm: () => unable })]) {
      const { canRunVms, accelerator } = report;
      assert.deepEqual({ canRunVms, accelerator }, { canRunVms: true, accelerator: 'wasm' });
    }
  });

  test('one that does not run stops only a host without KVM', () => {
    const withKvm = examineHost({}, { engine: NO_ENGINE });
    assert.equal(withKvm.accelerator, 'kvm');
    assert.equal(withKvm.checks.find(({ id }) => id === 'engine')?.status, 'warn');
    const { status, found, advice } = check('engine', noKvm, { engine: NO_ENGINE });
    assert.deepEqual({ status, found }, { status: 'fail', found: NO_ENGINE.message });
    assert.match(advice!, /npm ci/);
    const unable = check('engine', noKvm, { engine: { kind: 'unable', missing: ['SSE2'] } });
    assert.equal(unable.found, 'a probe VM could not run SSE2');
  });
});

describe('memory', () => {
  test('sizes, and little of it', () => {
    assert.equal(check('memory').found, '15.6 GiB, 11.7 GiB available');
    assert.equal(
      check('memory', { '/proc/meminfo': 'MemTotal: 1024000 kB\nMemAvailable: 512000 kB\n' }).status,
      'warn',
    );
  });

  test('huge pages, smallest first', () => {
    assert.equal(check('huge-pages').found, '2 MiB: 500 of 512 free, 1 GiB: 0 of 0 free');
  });

  test('transparent huge pages: given when asked for, or never', () => {
    const path = '/sys/kernel/mm/transparent_hugepage/enabled';
    assert.equal(check('transparent-huge-pages').found, 'madvise');
    assert.match(
      check('transparent-huge-pages', { [path]: 'always madvise [never]' }).advice!,
      /echo madvise/,
    );
    assert.equal(check('transparent-huge-pages', { [path]: undefined }).found, 'the kernel has none');
  });

  test('KSM: on, off and none', () => {
    assert.match(check('ksm').found, /on, 1234 pages/);
    assert.match(check('ksm', { '/sys/kernel/mm/ksm/run': '0' }).found, /off/);
    assert.equal(check('ksm', { '/sys/kernel/mm/ksm/run': undefined }).status, 'warn');
  });
});

describe('isolation', () => {
  const noUnified = { '/sys/fs/cgroup/cgroup.controllers': undefined };
  const v1 =
    '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t1\t4\t1\nmemory\t2\t4\t1\nrdma\t3\t1\t0\n';

  test('cgroup v2, v2 without some controllers, both versions, v1, none', () => {
    assert.match(check('cgroups').found, /^version 2: cpuset cpu io memory/);
    const partly = check('cgroups', { '/sys/fs/cgroup/cgroup.controllers': 'cpu memory pids' });
    assert.match(partly.advice!, /Limits of cpuset, io cannot be set/);
    assert.equal(check('cgroups', { ...noUnified, '/proc/cgroups': v1 }).found, 'version 1: cpuset memory');
    const hybrid = { ...noUnified, '/proc/cgroups': v1, '/sys/fs/cgroup/unified/cgroup.controllers': '' };
    assert.match(check('cgroups', hybrid).found, /^version 1, and 2 without controllers/);
    assert.equal(check('cgroups', noUnified).found, 'none');
  });

  test('Landlock', () => {
    assert.equal(check('landlock').found, 'ABI 6');
    assert.equal(check('landlock', {}, { landlockAbi: () => 0 }).status, 'warn');
  });

  test('SELinux and AppArmor', () => {
    assert.equal(check('selinux').found, 'enforcing');
    assert.equal(check('selinux', { '/sys/fs/selinux/enforce': '0' }).found, 'permissive');
    assert.equal(check('selinux', { '/sys/fs/selinux/enforce': undefined }).found, 'not active');
    assert.equal(check('apparmor', { '/sys/module/apparmor/parameters/enabled': 'Y' }).found, 'active');
  });

  test('user namespaces and the knobs that turn them off', () => {
    const user = { identity: { uid: 1000, user: 'ann', gids: [1000, 0] } };
    const debian = { '/proc/sys/kernel/unprivileged_userns_clone': '0' };
    const ubuntu = { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1' };
    assert.match(check('user-namespaces', debian, user).advice!, /sysctl kernel.unprivileged_userns_clone=1/);
    assert.match(
      check('user-namespaces', ubuntu, user).advice!,
      /sysctl kernel.apparmor_restrict_unprivileged_userns=0/,
    );
    assert.equal(check('user-namespaces', debian).status, 'ok', 'for root');
    assert.match(
      check('user-namespaces', { '/proc/sys/user/max_user_namespaces': '0' }).advice!,
      /max_user_namespaces/,
    );
  });
});

describe('software', () => {
  test('what makes the default guest', () => {
    const found = check('guest-tools', {
      '/usr/bin/dpkg-deb': { text: '', mode: 0o644 },
      '/usr/share/keyrings/debian-archive-keyring.gpg': undefined,
    });
    assert.match(found.found, /no dpkg-deb, no Debian's keyring/);
    assert.match(found.advice!, /^Install dpkg debian-archive-keyring, or name a kernel/);
  });

  test('Node', () => {
    assert.equal(checkNode('24.0.0').status, 'ok');
    assert.equal(checkNode('22.11.0').status, 'warn');
  });
});

describe('what the kernel writes is read without surprises', () => {
  test('any text is a processor', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^(processor\t: \d\nflags: (svm|vmx| )*\n\n?)*$/)),
        (text) => {
          const { count, model } = parseCpuinfo(text);
          assert.ok(count >= 0 && model.length > 0);
        },
      ),
    );
  });

  test('any text is a choice or none', () => {
    fc.assert(fc.property(fc.string(), (text) => assert.notEqual(chosen(text), '')));
  });

  test('any files make a report that matches the schema', () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom('0', '1', 'Y', '[never]', '-1', '99999999999999999999'),
    );
    const paths = Object.keys(GOOD_HOST).filter((path) => path !== '/dev/kvm');
    const changes = fc.dictionary(fc.constantFrom(...paths), fc.option(text, { nil: undefined }), {
      maxKeys: 8,
    });
    fc.assert(
      fc.property(changes, (files) => {
        examineHost(files);
      }),
      { numRuns: 50 },
    );
  });
});

describe('how it is told', () => {
  const vireo = (...args: string[]) =>
    spawnSync(join(import.meta.dirname, '../../bin/vireo'), ['doctor', ...args], {
      encoding: 'utf8',
      env: { ...process.env, FORCE_COLOR: undefined },
    });

  test('text: a line a check, advice below, the verdict last, no colours into a pipe', () => {
    const text = formatText(examineHost({ '/dev/kvm': undefined }, { engine: NO_ENGINE }));
    assert.match(text, /^! KVM device +\/dev\/kvm does not exist/m);
    assert.match(text, /^✗ Vireo's engine +the engine's interpreter/m);
    assert.match(text, /^ +→ /m);
    assert.match(text, /\nThis host cannot run VMs: see the lines marked ✗\.\n$/);
    assert.doesNotMatch(text, /\p{Cc}(?<!\n)/u);
    const slow = formatText(examineHost({ '/dev/kvm': undefined }));
    assert.match(
      slow,
      /\nThis host can run VMs, with Vireo's own x86-64 engine, more slowly than with KVM\.\n$/,
    );
  });

  test('of this host, as JSON that matches the schema; the exit status says whether VMs can run', () => {
    const { stdout, stderr, status } = vireo('--format', 'json');
    const report = JSON.parse(stdout) as DoctorReport;
    assert.ok(matchesSchema(report), JSON.stringify(matchesSchema.errors));
    assert.equal(status, 0);
    assert.equal(stderr, '');
    if (!existsSync('/dev/kvm')) assert.equal(report.accelerator, 'wasm');
    const node = report.checks.find(({ id }) => id === 'node');
    assert.equal(node?.found, process.versions.node);
  });

  test('of this host, as text', () => {
    const { stdout, status } = vireo();
    assert.match(stdout, /\nThis host can run VMs, with .*\.\n$/);
    assert.equal(status, 0);
  });
});
