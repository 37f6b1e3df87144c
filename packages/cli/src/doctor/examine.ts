/** Everything that is checked of a host, in the order in which it is told. */
import packageJson from '../../package.json' with { type: 'json' };
import { checkEngine } from './engine.ts';
import type { HostFiles } from './host-files.ts';
import {
  checkAppArmor,
  checkCgroups,
  checkLandlock,
  checkSelinux,
  checkUserNamespaces,
} from './isolation.ts';
import { checkKvmDevice, checkKvmProbe, checkNested, type Identity, type Probe } from './kvm.ts';
import { checkHugePages, checkKsm, checkMemory, checkTransparentHugePages } from './memory.ts';
import { checkProcessor, parseCpuinfo } from './processor.ts';
import { type Check, type DoctorReport, REPORT_VERSION } from './report.ts';
import { checkGuestTools, checkNode } from './software.ts';

/** What is asked of the kernel and not read from files. */
export interface HostFacts {
  readonly identity: Identity;
  readonly nodeVersion: string;
  readonly searchPath: string;
  readonly landlockAbi: () => number;
  readonly probeKvm: () => Probe;
  /** Of Vireo's own engine. */
  readonly engine: Probe;
}

export function examine(files: HostFiles, facts: HostFacts): DoctorReport {
  const processor = parseCpuinfo(files.read('/proc/cpuinfo') ?? '');
  const device = checkKvmDevice(files, processor, facts.identity);
  // What may not be opened cannot be probed.
  const probe = device.status === 'ok' ? checkKvmProbe(facts.probeKvm()) : undefined;
  const hasKvm = probe?.status === 'ok';
  const engine = checkEngine(facts.engine, hasKvm);
  const canRunVms = hasKvm || engine.status === 'ok';
  const checks: (Check | undefined)[] = [
    checkProcessor(processor),
    device,
    probe,
    checkNested(files, processor),
    engine,
    checkMemory(files),
    checkHugePages(files),
    checkTransparentHugePages(files),
    checkKsm(files),
    checkCgroups(files),
    checkLandlock(facts.landlockAbi()),
    checkSelinux(files),
    checkAppArmor(files),
    checkUserNamespaces(files, facts.identity.uid === 0),
    checkGuestTools(files, facts.searchPath),
    checkNode(facts.nodeVersion),
  ];
  return {
    version: REPORT_VERSION,
    vireo: packageJson.version,
    canRunVms,
    accelerator: hasKvm ? 'kvm' : canRunVms ? 'wasm' : null,
    checks: checks.filter((check) => check !== undefined),
  };
}
