/**
 * A vCPU that does what a script says instead of running a guest. Steps are separated by semicolons, and after the last
 * one the vCPU halts until it is kicked:
 *
 * `print TEXT`, `access COUNT` (reads of the RTC's port), `wait MS`, `out PORT SIZE VALUE`, `power-off`, `reset`,
 * `panic`, `triple-fault`, `internal-error`, `fail-entry`, `refuse`, `bug`, `vanish`.
 */
import { SLP_TYP_S5 } from '@vireo/devices/acpi/layout';
import type { IoExit, Segment, SpecialRegisters, Vcpu, VcpuExit, VcpuSeed } from '@vireo/hypervisor';
import { GENERAL_REGISTER_NAMES, SEGMENT_NAMES } from '@vireo/hypervisor/vcpu-state';
import { HostError } from '@vireo/linux';
import * as ports from '../machine/ports.ts';
import { CONTROL, type ScriptedSeed } from './scripted-seed.ts';

const EFAULT = 14;
const PM1_CNT_PORT = ports.ACPI_POWER_PORT + 4;
const SLP_EN = 1 << 13;
const RST_CPU_HARD = 6;

if (process.env['VIREO_TEST_BROKEN_VCPU'] === '1') throw new Error('a thread that cannot load');

export function openVcpu(seed: VcpuSeed): Vcpu {
  const { script, control } = seed as ScriptedSeed;
  const words = new Int32Array(control);
  Atomics.store(words, CONTROL.open, 1);
  const steps = runScript(script, words);
  return partial<Vcpu>({
    id: seed.id,
    interrupts: { setIrqLine: () => noteUse(words), signalMsi: () => false },
    setCpuid: () => {},
    getMsrs: (indices) => indices.map((index) => ({ index, value: 0n })),
    setMsrs: () => {},
    getSpecialRegisters: () => SPECIAL,
    setSpecialRegisters: () => {},
    getRegisters: () => GENERAL,
    setRegisters: () => {},
    run() {
      Atomics.add(words, CONTROL.runs, 1);
      noteUse(words);
      if (Atomics.exchange(words, CONTROL.kicked, 0) === 1) return { kind: 'interrupted' };
      return steps.next().value;
    },
    close: () => void Atomics.store(words, CONTROL.open, 0),
  });
}

function* runScript(script: string, words: Int32Array): Generator<VcpuExit, never> {
  for (const step of script.split(';')) {
    const [, verb, argument = ''] = /^ *([\w-]+) ?(.*?) *$/s.exec(step) ?? [];
    if (verb !== undefined) yield* runStep(verb, argument, words);
  }
  for (;;) yield halt(words, Infinity);
}

function* runStep(verb: string, argument: string, words: Int32Array): Generator<VcpuExit, void> {
  switch (verb) {
    case 'print':
      for (const byte of Buffer.from(argument.replaceAll('\\n', '\r\n'))) yield out(ports.COM1_PORT, 1, byte);
      return;
    case 'access':
      for (let i = 0; i < Number(argument); i++) yield input(ports.RTC_PORT + 1);
      return;
    case 'wait':
      return void (yield halt(words, Number(argument)));
    case 'out': {
      const [port, size, value] = argument.split(' ').map(Number);
      return void (yield out(port!, size as 1 | 2 | 4, value!));
    }
    case 'power-off':
      return void (yield out(PM1_CNT_PORT, 2, SLP_EN | (SLP_TYP_S5 << 10)));
    case 'reset':
      return void (yield out(ports.RESET_PORT, 1, RST_CPU_HARD));
    case 'panic':
      return void (yield out(ports.PVPANIC_PORT, 1, 1));
    default:
      yield fail(verb, words);
  }
}

function fail(verb: string, words: Int32Array): VcpuExit {
  switch (verb) {
    case 'triple-fault':
      return { kind: 'shutdown' };
    case 'internal-error':
      return { kind: 'internal-error', suberror: 1, detail: [], instructionBytes: Uint8Array.of(0x0f, 0x0b) };
    case 'fail-entry':
      return { kind: 'fail-entry', hardwareReason: 0x80000021n };
    case 'refuse':
      throw new HostError('ioctl', EFAULT, { subject: 'KVM_RUN', advice: 'Use another host.' });
    case 'bug':
      throw new RangeError('a bug in the vCPU');
    case 'vanish':
      Atomics.store(words, CONTROL.open, 0); // with the thread goes all that it has open
      return process.exit(0);
    default:
      throw new Error(`no such step: ${verb}`);
  }
}

/** Sleeps until a kick, for so long at most; a spurious exit ends the wait as well as a real one. */
function halt(words: Int32Array, timeoutMs: number): VcpuExit {
  Atomics.wait(words, CONTROL.kicked, 0, timeoutMs);
  Atomics.store(words, CONTROL.kicked, 0);
  return { kind: 'interrupted' };
}

function out(port: number, sizeBytes: 1 | 2 | 4, value: number): IoExit {
  const data = new DataView(new ArrayBuffer(4));
  data.setUint32(0, value, true);
  return { kind: 'io', direction: 'out', port, sizeBytes, count: 1, data };
}

function input(port: number): IoExit {
  return {
    kind: 'io',
    direction: 'in',
    port,
    sizeBytes: 1,
    count: 1,
    data: new DataView(new ArrayBuffer(4)),
  };
}

function noteUse(words: Int32Array): void {
  if (Atomics.load(words, CONTROL.vmClosed) === 1) Atomics.add(words, CONTROL.usedAfterClose, 1);
}

function partial<T extends object>(methods: Partial<T>): T {
  return methods as T;
}

const GENERAL = Object.fromEntries(
  [...GENERAL_REGISTER_NAMES, 'rip', 'rflags'].map((name) => [name, name === 'rip' ? 0x1234n : 2n]),
) as ReturnType<Vcpu['getRegisters']>;

const SEGMENT: Segment = {
  selector: 8,
  base: 0n,
  limit: 0xffffffff,
  type: 11,
  nonSystem: true,
  dpl: 0,
  present: true,
  available: false,
  long: false,
  defaultBig: true,
  granularity: true,
  unusable: false,
};

const SPECIAL = {
  ...Object.fromEntries(SEGMENT_NAMES.map((name) => [name, SEGMENT])),
  gdt: { base: 0n, limit: 0 },
  idt: { base: 0n, limit: 0 },
  ...{ cr0: 0n, cr2: 0n, cr3: 0n, cr4: 0n, cr8: 0n, efer: 0n, apicBase: 0xfee00900n },
} as unknown as SpecialRegisters;
