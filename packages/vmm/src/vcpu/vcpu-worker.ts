/**
 * A vCPU's thread. It loads what it needs while the main thread loads the kernel, waits for its start, runs the guest
 * until something ends it, and says what.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { Bus } from '@vireo/devices/bus';
import type { AcceleratorName, VcpuExit } from '@vireo/hypervisor';
import type { OpenVcpu, Vcpu } from '@vireo/hypervisor/contract';
import { openVcpu } from '@vireo/kvm/kvm-vcpu';
import { HostError } from '@vireo/linux/host-error';
import { setThreadName } from '@vireo/linux/threads';
import { attachLocalDevices } from '../machine/local-devices.ts';
import { ExitLoop } from './exit-loop.ts';
import { VcpuMailbox } from './mailbox.ts';
import { formatRegisters } from './register-dump.ts';
import { onceEach } from './undefined-instructions.ts';
import type { VcpuEnd, VcpuMessage, VcpuStart, VcpuWorkerData } from './worker-protocol.ts';

const data = workerData as VcpuWorkerData;
const port = parentPort!;

setThreadName(`vcpu${data.id}`);
port.once('message', async (start: VcpuStart | null) => {
  port.postMessage(start === null ? ({ kind: 'stopped' } satisfies VcpuEnd) : await openAndRun(start));
  port.close();
});

/** The engine is loaded only where it is used. */
async function openAndRun(start: VcpuStart): Promise<VcpuEnd> {
  if (start.seed.accelerator === 'kvm') return runVcpu(start, openVcpu);
  const engine = await import('./engine-vcpu.ts');
  if (!start.reportsUndefined) return runVcpu(start, engine.openVcpu);
  const onUndefined = onceEach((instruction) =>
    port.postMessage({ kind: 'undefined-instruction', instruction } satisfies VcpuMessage),
  );
  return runVcpu(start, (seed) => engine.openVcpu(seed, onUndefined));
}

function runVcpu(start: VcpuStart, open: OpenVcpu): VcpuEnd {
  try {
    const vcpu = open(start.seed);
    try {
      prepare(vcpu, start);
      const mailbox = new VcpuMailbox(start.mailbox, data.id, { spins: start.spins });
      const local = new Bus('local I/O ports');
      attachLocalDevices(local, {
        uart: start.uart,
        interrupts: vcpu.interrupts,
        wakeHost: () => mailbox.ringHost(),
        pmTimerEpochNs: start.pmTimerEpochNs,
      });
      const end = new ExitLoop(vcpu, mailbox, local).run();
      if (end.kind === 'commanded') return { kind: 'stopped' };
      return describeFailure(vcpu, end.exit, ACCELERATORS[start.seed.accelerator]);
    } finally {
      vcpu.close();
    }
  } catch (error) {
    if (!(error instanceof HostError)) return { kind: 'error', error };
    const { call, errno, subject, advice } = error;
    return { kind: 'refused', call, errno, details: { subject, advice } };
  }
}

function prepare(vcpu: Vcpu, start: VcpuStart): void {
  vcpu.setCpuid(start.cpuid);
  // Those that the accelerator has. What it set already stays set.
  const present = vcpu.getMsrs(start.msrs.map(({ index }) => index));
  const wanted = new Map(start.msrs.map(({ index, value }) => [index, value]));
  vcpu.setMsrs(present.map(({ index, value }) => ({ index, value: value | wanted.get(index)! })));
  if (start.registers === null) return;
  const { general, special } = start.registers;
  // The APIC base stays as the accelerator made it.
  vcpu.setSpecialRegisters({ ...special, apicBase: vcpu.getSpecialRegisters().apicBase });
  vcpu.setRegisters(general);
}

const ACCELERATORS: Readonly<Record<AcceleratorName, string>> = { kvm: 'KVM', wasm: "Vireo's engine" };

function describeFailure(vcpu: Vcpu, exit: VcpuExit, accelerator: string): VcpuEnd {
  const general = vcpu.getRegisters();
  const registers = formatRegisters(general, vcpu.getSpecialRegisters());
  const at = `rip 0x${general.rip.toString(16)}`;
  const failed = (failure: 'triple-fault' | 'internal-error' | 'fail-entry', message: string): VcpuEnd => ({
    kind: 'failed',
    failure,
    message,
    registers,
  });
  switch (exit.kind) {
    case 'shutdown':
      return failed('triple-fault', `triple fault at ${at}: the guest could not handle its own exceptions`);
    case 'fail-entry':
      return failed(
        'fail-entry',
        `at ${at} the processor refused the guest's state, reason 0x${exit.hardwareReason.toString(16)}`,
      );
    case 'internal-error': {
      const bytes = Buffer.from(exit.instructionBytes).toString('hex');
      const what =
        exit.suberror === 1
          ? `an instruction that ${accelerator} cannot emulate`
          : `internal error ${exit.suberror} of ${accelerator}`;
      return failed('internal-error', `${what} at ${at}${bytes === '' ? '' : ` (${bytes})`}`);
    }
    default:
      return failed('internal-error', `unexpected exit '${exit.kind}' at ${at}`);
  }
}
