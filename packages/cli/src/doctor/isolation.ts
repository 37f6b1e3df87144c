/** What the kernel has to confine VMs with: cgroups, Landlock, SELinux, AppArmor, user namespaces. */
import type { HostFiles } from './host-files.ts';
import { type Check, ok, warn } from './report.ts';

/** Those that limit what a VM may take (Linux admin-guide/cgroup-v2). */
const CONTROLLERS = ['cpu', 'cpuset', 'io', 'memory', 'pids'];

export function checkCgroups(files: HostFiles): Check {
  const title = 'cgroups';
  const unified = files.read('/sys/fs/cgroup/cgroup.controllers');
  const advice =
    'Boot with systemd.unified_cgroup_hierarchy=1 for cgroup v2; VMs run without limits until then.';
  if (unified === undefined) {
    const hybrid = files.read('/sys/fs/cgroup/unified/cgroup.controllers');
    const v1 = files.read('/proc/cgroups');
    if (v1 === undefined)
      return warn('cgroups', title, 'none', 'Mount them: mount -t cgroup2 none /sys/fs/cgroup.');
    const controllers = enabledV1Controllers(v1).join(' ');
    const kind = hybrid === undefined ? 'version 1' : 'version 1, and 2 without controllers';
    return warn('cgroups', title, `${kind}: ${controllers || 'no controllers'}`, advice);
  }
  const controllers = unified.split(/\s+/).filter(Boolean);
  const missing = CONTROLLERS.filter((it) => !controllers.includes(it));
  const found = `version 2: ${controllers.join(' ') || 'no controllers'}`;
  if (missing.length === 0) return ok('cgroups', title, found);
  return warn(
    'cgroups',
    title,
    found,
    `Limits of ${missing.join(', ')} cannot be set: have them delegated to you.`,
  );
}

/** /proc/cgroups: name, hierarchy, number of cgroups, enabled. */
export function enabledV1Controllers(text: string): string[] {
  return [...text.matchAll(/^([\w.]+)\s+\d+\s+\d+\s+1$/gm)].map(([, name]) => name!);
}

/** `abi` is what landlock_create_ruleset(2) says, 0 when the kernel has no Landlock or it is off. */
export function checkLandlock(abi: number): Check {
  if (abi > 0) return ok('landlock', 'Landlock', `ABI ${abi}`);
  return warn(
    'landlock',
    'Landlock',
    'not available',
    'Files are not confined per VM; a kernel with CONFIG_SECURITY_LANDLOCK and landlock in its lsm= has it.',
  );
}

export function checkSelinux(files: HostFiles): Check {
  const enforce = files.readNumber('/sys/fs/selinux/enforce');
  if (enforce === undefined)
    return warn(
      'selinux',
      'SELinux',
      'not active',
      'VMs get no labels of their own; Landlock and seccomp do not need it.',
    );
  if (enforce === 1) return ok('selinux', 'SELinux', 'enforcing');
  return warn('selinux', 'SELinux', 'permissive', 'It reports and refuses nothing: sudo setenforce 1.');
}

export function checkAppArmor(files: HostFiles): Check {
  const active = files.read('/sys/module/apparmor/parameters/enabled') === 'Y';
  return ok('apparmor', 'AppArmor', active ? 'active' : 'not active');
}

export function checkUserNamespaces(files: HostFiles, isRoot: boolean): Check {
  const id = 'user-namespaces';
  const title = 'user namespaces';
  if (!files.exists('/proc/self/ns/user'))
    return warn(
      id,
      title,
      'the kernel has none',
      'Only root can run VMs in namespaces; a kernel with CONFIG_USER_NS lets others.',
    );
  if (files.readNumber('/proc/sys/user/max_user_namespaces') === 0)
    return warn(id, title, 'turned off', 'Turn them on: sudo sysctl user.max_user_namespaces=10000.');
  // Debian's knob and Ubuntu's; the mainline kernel has neither.
  for (const [knob, refused] of [
    ['kernel.unprivileged_userns_clone', 0],
    ['kernel.apparmor_restrict_unprivileged_userns', 1],
  ] as const) {
    const value = files.readNumber(`/proc/sys/${knob.replaceAll('.', '/')}`);
    if (value === refused && !isRoot)
      return warn(
        id,
        title,
        `for root only (${knob} is ${value})`,
        `Allow them: sudo sysctl ${knob}=${1 - refused}.`,
      );
  }
  return ok(id, title, 'available');
}
