/** What the running host says of itself. */
import { userInfo } from 'node:os';
import { landlockAbi } from '@vireo/linux/landlock';
import { probeEngine, probeKvm } from '@vireo/vmm';
import { explain } from '../errors.ts';
import type { HostFacts } from './examine.ts';
import type { Probe } from './kvm.ts';

/** As images are built: system directories count even where they are not on the PATH. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin';

export async function realHostFacts(): Promise<HostFacts> {
  return {
    identity: {
      uid: process.geteuid!(),
      user: userName(),
      gids: [process.getegid!(), ...process.getgroups!()],
    },
    nodeVersion: process.versions.node,
    searchPath: `${process.env['PATH'] ?? ''}:${SYSTEM_PATH}`,
    landlockAbi,
    probeKvm: () => safely(probeKvm),
    engine: await probeEngine().catch(failed),
  };
}

/** The user may have no entry in the password file. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid!());
  }
}

/** Whatever stops the probe is what the doctor was asked to find. */
function safely(probe: () => Probe): Probe {
  try {
    return probe();
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): Probe {
  return { kind: 'error', message: explain(error).line };
}
