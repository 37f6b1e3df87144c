/**
 * Whether KVM is there, may be used, and runs what an unmodified kernel needs (docs: Linux KVM API §2 and kvm(4)). Without
 * it VMs run slowly, and not at all only where the engine does not run either (engine.ts).
 */
import { parseGroupFile } from '@vireo/linux/host';
import type { HostFiles } from './host-files.ts';
import { type Processor, virtualizationAdvice } from './processor.ts';
import { type Check, ok, warn } from './report.ts';

/** Who asks. */
export interface Identity {
  readonly uid: number;
  readonly user: string;
  /** The effective group and the supplementary ones. */
  readonly gids: readonly number[];
}

export type Probe =
  | { readonly kind: 'able' }
  | { readonly kind: 'unable'; readonly missing: readonly string[] }
  /** It could not be opened, or made no VM. */
  | { readonly kind: 'error'; readonly message: string; readonly advice?: string };

const DEVICE = '/dev/kvm';
const ID = 'kvm-device';
const TITLE = 'KVM device';

export function checkKvmDevice(files: HostFiles, processor: Processor, identity: Identity): Check {
  const device = files.stat(DEVICE);
  if (!device) return checkMissingDevice(files, processor);
  const { mode, uid, gid } = device;
  const mayUse =
    identity.uid === 0 ||
    (identity.uid === uid ? (mode & 0o600) === 0o600 : false) ||
    (identity.gids.includes(gid) ? (mode & 0o060) === 0o060 : (mode & 0o006) === 0o006);
  if (mayUse) return ok(ID, TITLE, `${DEVICE} is there, and you may use it`);
  return warn(
    ID,
    TITLE,
    `${DEVICE} is there, but you may not use it`,
    permissionAdvice(files, mode, gid, identity),
  );
}

function checkMissingDevice(files: HostFiles, { virtualization, kvmModule, isVirtual }: Processor): Check {
  const found = `${DEVICE} does not exist`;
  const loaded = files.exists(`/sys/module/${kvmModule}`);
  const container = containerKind(files);
  if (container && (loaded || virtualization))
    return warn(ID, TITLE, `${found} in this container (${container})`, containerAdvice(container));
  if (loaded)
    return warn(ID, TITLE, `${found}, though ${kvmModule} is loaded`, 'Make it: mknod /dev/kvm c 10 232.');
  if (!virtualization)
    return warn(
      ID,
      TITLE,
      `${found}, and the processor shows no virtualization`,
      virtualizationAdvice(isVirtual),
    );
  return warn(
    ID,
    TITLE,
    `${found}: the module ${kvmModule} is not loaded`,
    `Load it: sudo modprobe ${kvmModule}.`,
  );
}

/** Docker and Podman leave a file; others say it in a variable of their first process or in systemd's file. */
function containerKind(files: HostFiles): string | undefined {
  if (files.exists('/.dockerenv')) return 'docker';
  const podman = files.read('/run/.containerenv');
  if (podman !== undefined) return 'podman';
  const environment = /(?:^|\0)container=([\w-]+)/.exec(files.read('/proc/1/environ') ?? '');
  return environment?.[1] ?? (files.read('/run/systemd/container') || undefined);
}

function containerAdvice(container: string): string {
  return container === 'docker' || container === 'podman'
    ? `Start the container with --device ${DEVICE}.`
    : `Give the container the device ${DEVICE} (character device 10:232).`;
}

function permissionAdvice(files: HostFiles, mode: number, gid: number, { user }: Identity): string {
  const groups = files.read('/etc/group') ?? '';
  const group = parseGroupFile(groups).get(gid);
  if (group === undefined || gid === 0 || (mode & 0o060) !== 0o060)
    return `Give it to a group that you are in: sudo chgrp kvm ${DEVICE} && sudo chmod 660 ${DEVICE}.`;
  const members =
    new RegExp(`^${RegExp.escape(group)}:[^:]*:\\d+:(.*)$`, 'm').exec(groups)?.[1]?.split(',') ?? [];
  if (members.includes(user)) return `You are in its group ${group} since your last login: log in again.`;
  return `Join its group ${group}: sudo usermod -aG ${group} ${user}, then log in again.`;
}

export function checkKvmProbe(probe: Probe): Check {
  const id = 'kvm-probe';
  const title = 'KVM runs kernels';
  switch (probe.kind) {
    case 'able':
      return ok(id, title, 'a probe VM ran 64-bit code, SSE2 and CMPXCHG16B');
    case 'unable':
      return warn(
        id,
        title,
        `a probe VM could not run ${probe.missing.join(', ')}: this KVM emulates, and cannot run unmodified kernels`,
        "Use a host whose KVM has the processor's virtualization (kvm_amd or kvm_intel).",
      );
    case 'error':
      return warn(
        id,
        title,
        probe.message,
        probe.advice ?? 'Mend what the message names; dmesg may say more.',
      );
  }
}

/** Whether guests can run VMs themselves. */
export function checkNested(files: HostFiles, { kvmModule }: Processor): Check | undefined {
  const nested = files.read(`/sys/module/${kvmModule}/parameters/nested`);
  if (nested === undefined) return undefined;
  if (/^[1Yy]/.test(nested))
    return ok('nested', 'nested VMs', `${kvmModule} lets guests run VMs of their own`);
  return warn(
    'nested',
    'nested VMs',
    `${kvmModule} does not let guests run VMs of their own`,
    `If you want that: options ${kvmModule} nested=1 in /etc/modprobe.d.`,
  );
}
