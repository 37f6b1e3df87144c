/** One vCPU that a thread of hostile-run.ts runs, with one guest after the other. */
import assert from 'node:assert/strict';
import { openVcpu } from '@vireo/engine-host';
import type { CpuidEntry, Vcpu, VcpuExit, VcpuSeed } from '@vireo/hypervisor';
import { Mapping } from '@vireo/linux';
import { Random } from '../differential/random.ts';
import { makeGuest, RAM_BYTES, randomEvents } from './random-guest.ts';

/** Of one guest. A kick ends a run, so a guest takes as long as so many kicks at most. */
const MOST_RUNS = 400;
const MOST_KICKS = 3;
/** What the contract says the engine's `run` may return. */
const EXITS: readonly VcpuExit['kind'][] = [
  'io',
  'mmio',
  'interrupted',
  'interrupt-window',
  'shutdown',
  'debug',
  'hlt',
];
const MPS = ['runnable', 'runnable', 'runnable', 'halted', 'uninitialized', 'init-received'] as const;

/** What a thread needs for one. */
export interface HostileVcpuParts {
  readonly seed: VcpuSeed;
  readonly cpuid: readonly CpuidEntry[];
  /** The VM's memory, for the thread that is to fill it. */
  readonly memoryFd: number | null;
}

export class HostileVcpu {
  readonly #memory: Uint8Array;
  readonly #vcpu: Vcpu;
  readonly exits = new Map<VcpuExit['kind'], number>();

  constructor({ seed, cpuid, memoryFd }: HostileVcpuParts) {
    this.#memory =
      memoryFd === null
        ? new Uint8Array(RAM_BYTES)
        : new Uint8Array(Mapping.map({ fd: memoryFd, lengthBytes: RAM_BYTES }).buffer);
    this.#vcpu = openVcpu(seed);
    this.#vcpu.setCpuid(cpuid);
  }

  /** `beat`: called at each return from the guest. */
  run(seed: number, beat: () => void): void {
    const random = new Random(BigInt(seed));
    this.#prepare(random);
    let kicks = 0;
    for (let runs = 0; runs < MOST_RUNS && kicks < MOST_KICKS; runs++) {
      const exit = this.#vcpu.run();
      beat();
      assert.ok(EXITS.includes(exit.kind), `exit ${exit.kind}`);
      this.exits.set(exit.kind, (this.exits.get(exit.kind) ?? 0) + 1);
      if (exit.kind === 'shutdown') return;
      if (exit.kind === 'interrupted') kicks++;
      else answer(random, exit);
      if (random.chance(64)) this.#disturb(random);
    }
    this.#vcpu.save();
  }

  #prepare(random: Random): void {
    const vcpu = this.#vcpu;
    const { general, special } = makeGuest(random, this.#memory);
    vcpu.setEvents(NO_EVENTS);
    vcpu.setSpecialRegisters(special);
    vcpu.setRegisters(general);
    vcpu.setMpState(random.pick(MPS));
    if (random.chance(8)) vcpu.setEvents(randomEvents(random));
    const [a, b, c, d] = [0, 0, 0, 0].map(() => BigInt(random.below(RAM_BYTES)));
    const dr7 = random.chance(8) ? random.next() & 0xffff_ffffn : 0x400n;
    vcpu.setDebugRegisters({ addresses: [a!, b!, c!, d!], dr6: 0xffff_0ff0n, dr7 });
    vcpu.setGuestDebug({ singleStep: random.chance(64), softwareBreakpoints: random.chance(16) });
    vcpu.setLapic(random.chance(8) ? random.bytes(1024) : new Uint8Array(1024));
    this.#setMsrs(random);
  }

  /** The values of MSRs may be refused. */
  #setMsrs(random: Random): void {
    for (const { index } of this.#vcpu.getMsrs(MSRS)) {
      if (!random.chance(4)) continue;
      try {
        this.#vcpu.setMsrs([{ index, value: random.operand() }]);
      } catch (error) {
        if (!(error instanceof RangeError) || !/refuses the value/.test(error.message)) throw error;
      }
    }
  }

  /** What the host may do between two runs. */
  #disturb(random: Random): void {
    switch (random.below(4)) {
      case 0:
        this.#vcpu.setEvents(randomEvents(random));
        break;
      case 1:
        this.#vcpu.injectNmi();
        break;
      case 2:
        this.#vcpu.requestInterruptWindow(random.chance(2));
        break;
      default:
        this.#vcpu.interrupts.signalMsi({ address: 0xfee0_0000n, data: random.below(0x1_0000) });
    }
  }
}

function answer(random: Random, exit: VcpuExit): void {
  if (exit.kind !== 'io' && exit.kind !== 'mmio') return;
  for (let at = 0; at < exit.data.byteLength; at++) exit.data.setUint8(at, random.below(256));
}

const NO_EVENTS = {
  exception: { pending: false, injected: false, vector: 0, errorCode: null, payload: null },
  interrupt: { injected: false, vector: 0, soft: false, shadow: 0 },
  nmi: { injected: false, pending: false, masked: false },
  sipiVector: 0,
  smi: { inSmm: false, pending: false, smmInsideNmi: false, latchedInit: false },
  tripleFaultPending: false,
};

const MSRS = [
  ...[0x10, 0x1b, 0x3a, 0x3b, 0x174, 0x175, 0x176, 0x1a0, 0x277, 0x2ff, 0x6e0],
  ...[0xc000_0080, 0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084],
  ...[0xc000_0100, 0xc000_0101, 0xc000_0102, 0xc000_0103, 0x4b56_4d00, 0x4b56_4d01],
];
