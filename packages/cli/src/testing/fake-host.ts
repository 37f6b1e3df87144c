/** Pictures of hosts: files below a temporary directory, as `HostFiles` reads them. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { HostFacts } from '../doctor/examine.ts';
import { HostFiles } from '../doctor/host-files.ts';

export interface FakeFile {
  readonly text: string;
  readonly mode: number;
}

export type FakeTree = Readonly<Record<string, string | FakeFile | undefined>>;

export const AMD_CPUINFO = `processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 9654 96-Core Processor
flags\t\t: fpu vme sse2 svm lm

processor\t: 1
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 9654 96-Core Processor
flags\t\t: fpu vme sse2 svm lm
`;

/** A server with everything; tests take away, with undefined, or change. */
export const GOOD_HOST: FakeTree = {
  '/proc/cpuinfo': AMD_CPUINFO,
  '/proc/meminfo': 'MemTotal:       16384000 kB\nMemAvailable:   12288000 kB\n',
  '/proc/self/ns/user': '',
  '/proc/sys/user/max_user_namespaces': '63000\n',
  '/dev/kvm': { text: '', mode: 0o660 },
  '/sys/module/kvm_amd/parameters/nested': '1\n',
  '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages': '512\n',
  '/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages': '500\n',
  '/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages': '0\n',
  '/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages': '0\n',
  '/sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n',
  '/sys/kernel/mm/ksm/run': '1\n',
  '/sys/kernel/mm/ksm/pages_sharing': '1234\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory hugetlb pids rdma misc\n',
  '/sys/fs/selinux/enforce': '1',
  '/sys/module/apparmor/parameters/enabled': 'N\n',
  '/etc/group': 'root:x:0:\nkvm:x:104:ann\n',
  '/usr/bin/apt-get': { text: '', mode: 0o755 },
  '/usr/bin/dpkg-deb': { text: '', mode: 0o755 },
  '/usr/share/keyrings/debian-archive-keyring.gpg': '',
};

export const GOOD_FACTS: HostFacts = {
  identity: { uid: 0, user: 'root', gids: [0] },
  nodeVersion: '26.10.0',
  searchPath: '/usr/local/bin:/usr/bin:/bin',
  landlockAbi: () => 6,
  probeKvm: () => ({ kind: 'able' }),
  engine: { kind: 'able' },
};

export class FakeHost implements Disposable {
  readonly files: HostFiles;
  readonly #root: string;

  constructor(changes: FakeTree = {}) {
    this.#root = mkdtempSync(join(tmpdir(), 'vireo-host-'));
    for (const [path, file] of Object.entries({ ...GOOD_HOST, ...changes })) {
      if (file === undefined) continue;
      const { text, mode } = typeof file === 'string' ? { text: file, mode: 0o644 } : file;
      mkdirSync(dirname(this.#root + path), { recursive: true });
      writeFileSync(this.#root + path, text);
      chmodSync(this.#root + path, mode); // whatever the umask
    }
    this.files = new HostFiles(this.#root);
  }

  [Symbol.dispose](): void {
    rmSync(this.#root, { recursive: true });
  }
}
