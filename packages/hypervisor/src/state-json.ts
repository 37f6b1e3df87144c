/**
 * The states of the contract as JSON text: what is written to a snapshot's files and sent to another host. Neutral as
 * the types themselves, and versioned: every document says what it is and which version of it.
 *
 *     {"kind":"vcpu-state","version":1,"cpuid":[…],"registers":{"rax":"0x0",…},…}
 *
 * Register-sized values are hexadecimal strings, bytes are base64. Decoding takes nothing on trust.
 */
import type { ClockState } from './contract.ts';
import type {
  InterruptControllerState,
  IoapicState,
  PicState,
  PitChannelState,
  PitState,
} from './interrupts.ts';
import { PIC_STATE_FIELDS } from './interrupts.ts';
import {
  array,
  boolean,
  bytes,
  type Codec,
  nullable,
  object,
  oneOf,
  record,
  refuse,
  StateFormatError,
  u64,
  unsigned,
} from './json-codec.ts';
import {
  type CpuidEntry,
  type DebugRegisters,
  type DescriptorTable,
  type ExtendedState,
  GENERAL_REGISTER_NAMES,
  type GeneralRegisters,
  type MsrEntry,
  SEGMENT_NAMES,
  type Segment,
  type SpecialRegisters,
  VCPU_STATE_VERSION,
  type VcpuEvents,
  type VcpuState,
} from './vcpu-state.ts';

export { StateFormatError };

/** Bounds for hostile documents, far above what processors have. */
const CPUID_ENTRIES_MAX = 1024;
const MSRS_MAX = 1024;
const XSAVE_BYTES_MIN = 576;
const XSAVE_BYTES_MAX = 65536;
const LAPIC_BYTES = 1024;
const IOAPIC_PINS = 24;

const u8 = unsigned(8);
const u16 = unsigned(16);
const u32 = unsigned(32);

const cpuidEntry = object<CpuidEntry>({
  leaf: u32,
  subleaf: nullable(u32),
  ...record(['eax', 'ebx', 'ecx', 'edx'], u32),
});

const segment = object<Segment>({
  selector: u16,
  base: u64,
  limit: u32,
  type: unsigned(4),
  nonSystem: boolean,
  dpl: unsigned(2),
  ...record(['present', 'available', 'long', 'defaultBig', 'granularity', 'unusable'], boolean),
});

const descriptorTable = object<DescriptorTable>({ base: u64, limit: u16 });

const events = object<VcpuEvents>({
  exception: object<VcpuEvents['exception']>({
    pending: boolean,
    injected: boolean,
    vector: u8,
    errorCode: nullable(u32),
    payload: nullable(u64),
  }),
  interrupt: object<VcpuEvents['interrupt']>({ injected: boolean, vector: u8, soft: boolean, shadow: u8 }),
  nmi: object<VcpuEvents['nmi']>(record(['injected', 'pending', 'masked'], boolean)),
  sipiVector: u32,
  smi: object<VcpuEvents['smi']>(record(['inSmm', 'pending', 'smmInsideNmi', 'latchedInit'], boolean)),
  tripleFaultPending: boolean,
});

const vcpuState = object<VcpuState>({
  version: oneOf([VCPU_STATE_VERSION]),
  cpuid: array(cpuidEntry, 0, CPUID_ENTRIES_MAX),
  registers: object<GeneralRegisters>(record([...GENERAL_REGISTER_NAMES, 'rip', 'rflags'], u64)),
  special: object<SpecialRegisters>({
    ...record(SEGMENT_NAMES, segment),
    gdt: descriptorTable,
    idt: descriptorTable,
    ...record(['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apicBase'], u64),
  }),
  extended: object<ExtendedState>({ xcr0: u64, area: bytes(XSAVE_BYTES_MIN, XSAVE_BYTES_MAX) }),
  msrs: array(object<MsrEntry>({ index: u32, value: u64 }), 0, MSRS_MAX),
  lapic: nullable(bytes(LAPIC_BYTES, LAPIC_BYTES)),
  events,
  mpState: oneOf(['runnable', 'uninitialized', 'init-received', 'halted', 'sipi-received']),
  debug: object<DebugRegisters>({
    addresses: array(u64, 4, 4) as Codec<DebugRegisters['addresses']>,
    dr6: u64,
    dr7: u64,
  }),
  tscKhz: u32,
});

const pic = object<PicState>(record(PIC_STATE_FIELDS, u8));

const pitChannel = object<PitChannelState>({
  count: u32,
  latchedCount: u16,
  ...record(['countLatched', 'statusLatched', 'status', 'readState', 'writeState', 'writeLatch'], u8),
  ...record(['rwMode', 'mode', 'bcd', 'gate'], u8),
  countLoadTime: u64,
});

const interruptControllerState = object<InterruptControllerState>({
  version: oneOf([1]),
  picMaster: pic,
  picSlave: pic,
  ioapic: object<IoapicState>({
    baseAddress: u64,
    ioregsel: u32,
    id: u32,
    irr: u32,
    redirectionTable: array(u64, IOAPIC_PINS, IOAPIC_PINS),
  }),
  pit: object<PitState>({ channels: array(pitChannel, 3, 3) as Codec<PitState['channels']> }),
});

const clockState = object<ClockState>({ version: oneOf([1]), nanoseconds: u64 });

/** A state type in both directions. */
export interface StateFormat<T> {
  /** Deterministic: the same state, the same text. */
  encode(state: T): string;
  /** @throws StateFormatError with one line that says what is wrong and where */
  decode(text: string): T;
}

export const vcpuStateFormat = documentFormat('vcpu-state', VCPU_STATE_VERSION, vcpuState);
export const interruptControllerStateFormat = documentFormat(
  'interrupt-controller-state',
  1,
  interruptControllerState,
);
export const clockStateFormat = documentFormat('clock-state', 1, clockState);

/** Puts the kind in front, and looks at kind and version before anything else. */
function documentFormat<T extends { version: number }>(
  kind: string,
  version: number,
  codec: Codec<T>,
): StateFormat<T> {
  return {
    encode(state) {
      const properties = codec.encode(state) as Record<string, unknown>;
      return JSON.stringify({ kind, ...properties });
    },
    decode(text) {
      const { kind: found, ...properties } = parseObject(kind, text);
      if (found !== kind) refuse(`${kind}: kind`, kind, found);
      const { version: written } = properties;
      if (written !== version && typeof written === 'number')
        throw new StateFormatError(
          `${kind}: version ${written}; this build reads ${version}`,
          'STATE_VERSION_UNKNOWN',
        );
      return codec.decode(properties, kind);
    },
  };
}

function parseObject(kind: string, text: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new StateFormatError(`${kind}: not JSON`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return refuse(kind, 'an object', json);
  return json as Record<string, unknown>;
}
