/** The vCPU's thread: runs rounds, by the loop that is asked for, and answers with nanoseconds. */
import { parentPort, workerData } from 'node:worker_threads';
import { Bus } from '@vireo/devices/bus';
import type { CpuidEntry, GeneralRegisters, Vcpu, VcpuSeed } from '@vireo/hypervisor';
import { specialRegisters } from '@vireo/hypervisor/conformance/guest-layout';
import { openVcpu } from '@vireo/kvm';
import { ExitLoop } from '@vireo/vmm/vcpu/exit-loop';
import { VcpuMailbox } from '@vireo/vmm/vcpu/mailbox';

export interface ThreadData {
  readonly seed: VcpuSeed;
  readonly cpuid: readonly CpuidEntry[];
  readonly mailbox: SharedArrayBuffer;
  /** Where a device is that this thread serves itself. */
  readonly localPort: number;
}

/** 'run': Vcpu.run() and what exits.c does; 'exit-loop': Vireo's own, with its buses. */
export type Loop = 'run' | 'exit-loop';

export interface ThreadRound {
  readonly loop: Loop;
  readonly registers: GeneralRegisters;
}

const ANSWER = 0x5a;

const { seed, cpuid, mailbox, localPort } = workerData as ThreadData;
const vcpu = openVcpu(seed);
vcpu.setCpuid(cpuid);
const special = specialRegisters('protected', vcpu.getSpecialRegisters());

let device = 0;
const local = new Bus('local I/O ports');
local.attach(localPort, 1, {
  name: 'benchmark',
  read: () => ANSWER,
  write: (_offset, _sizeBytes, value) => {
    device = value;
  },
});
const exitLoop = new ExitLoop(vcpu, new VcpuMailbox(mailbox, 0), local);

parentPort!.on('message', (round: ThreadRound | null) => {
  if (round === null) {
    vcpu.close();
    parentPort!.close();
    return;
  }
  vcpu.setSpecialRegisters(special);
  vcpu.setRegisters(round.registers);
  const start = process.hrtime.bigint();
  const last = round.loop === 'run' ? runBare(vcpu) : runExitLoop();
  const nanoseconds = Number(process.hrtime.bigint() - start);
  if (last !== 'hlt') throw new Error(`unexpected exit '${last}' (the device holds ${device})`);
  parentPort!.postMessage(nanoseconds);
});

function runBare(vcpu: Vcpu): string {
  for (;;) {
    const exit = vcpu.run();
    if (exit.kind === 'io') {
      if (exit.direction === 'out') device = exit.data.getUint8(0);
      else exit.data.setUint8(0, ANSWER);
    } else if (exit.kind === 'mmio') {
      if (exit.direction === 'write') device = exit.data.getUint32(0, true);
      else exit.data.setUint32(0, ANSWER, true);
    } else if (exit.kind !== 'interrupted') return exit.kind;
  }
}

function runExitLoop(): string {
  const end = exitLoop.run();
  return end.kind === 'failed' ? end.exit.kind : end.kind;
}
