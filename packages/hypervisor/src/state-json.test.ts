import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ClockState } from './contract.ts';
import type { InterruptControllerState, PicState, PitChannelState } from './interrupts.ts';
import {
  clockStateFormat,
  interruptControllerStateFormat,
  type StateFormat,
  StateFormatError,
  vcpuStateFormat,
} from './state-json.ts';
import { GENERAL_REGISTER_NAMES, SEGMENT_NAMES, type Segment, type VcpuState } from './vcpu-state.ts';

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

function same<K extends string, T>(keys: readonly K[], value: fc.Arbitrary<T>) {
  return Object.fromEntries(keys.map((key) => [key, value])) as Record<K, fc.Arbitrary<T>>;
}

const segment: fc.Arbitrary<Segment> = fc.record({
  selector: u16,
  base: u64,
  limit: u32,
  type: fc.integer({ min: 0, max: 15 }),
  dpl: fc.integer({ min: 0, max: 3 }),
  ...same(
    ['nonSystem', 'present', 'available', 'long', 'defaultBig', 'granularity', 'unusable'],
    fc.boolean(),
  ),
});

const vcpuState: fc.Arbitrary<VcpuState> = fc.record({
  version: fc.constant(1 as const),
  cpuid: fc.array(
    fc.record({ leaf: u32, subleaf: fc.option(u32), ...same(['eax', 'ebx', 'ecx', 'edx'], u32) }),
    { maxLength: 4 },
  ),
  registers: fc.record(same([...GENERAL_REGISTER_NAMES, 'rip', 'rflags'], u64)),
  special: fc.record({
    ...same(SEGMENT_NAMES, segment),
    gdt: fc.record({ base: u64, limit: u16 }),
    idt: fc.record({ base: u64, limit: u16 }),
    ...same(['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'apicBase'], u64),
  }),
  extended: fc.record({ xcr0: u64, area: fc.uint8Array({ minLength: 576, maxLength: 1000 }) }),
  msrs: fc.array(fc.record({ index: u32, value: u64 }), { maxLength: 4 }),
  lapic: fc.option(fc.uint8Array({ minLength: 1024, maxLength: 1024 })),
  events: fc.record({
    exception: fc.record({
      ...same(['pending', 'injected'], fc.boolean()),
      vector: u8,
      errorCode: fc.option(u32),
      payload: fc.option(u64),
    }),
    interrupt: fc.record({ ...same(['injected', 'soft'], fc.boolean()), vector: u8, shadow: u8 }),
    nmi: fc.record(same(['injected', 'pending', 'masked'], fc.boolean())),
    sipiVector: u32,
    smi: fc.record(same(['inSmm', 'pending', 'smmInsideNmi', 'latchedInit'], fc.boolean())),
    tripleFaultPending: fc.boolean(),
  }),
  mpState: fc.constantFrom('runnable', 'uninitialized', 'init-received', 'halted', 'sipi-received'),
  debug: fc.record({ addresses: fc.tuple(u64, u64, u64, u64), dr6: u64, dr7: u64 }),
  tscKhz: u32,
});

const PIC_KEYS: readonly (keyof PicState)[] = [
  ...(['lastIrr', 'irr', 'imr', 'isr', 'priorityAdd', 'irqBase', 'readRegisterSelect', 'poll'] as const),
  ...(['specialMask', 'initState', 'autoEoi', 'rotateOnAutoEoi', 'specialFullyNestedMode'] as const),
  ...(['init4', 'elcr', 'elcrMask'] as const),
];
const pic = fc.record(same(PIC_KEYS, u8));
const pitChannel: fc.Arbitrary<PitChannelState> = fc.record({
  count: u32,
  latchedCount: u16,
  ...same(['countLatched', 'statusLatched', 'status', 'readState', 'writeState', 'writeLatch'], u8),
  ...same(['rwMode', 'mode', 'bcd', 'gate'], u8),
  countLoadTime: u64,
});
const controllerState: fc.Arbitrary<InterruptControllerState> = fc.record({
  version: fc.constant(1 as const),
  picMaster: pic,
  picSlave: pic,
  ioapic: fc.record({
    baseAddress: u64,
    ...same(['ioregsel', 'id', 'irr'], u32),
    redirectionTable: fc.array(u64, { minLength: 24, maxLength: 24 }),
  }),
  pit: fc.record({ channels: fc.tuple(pitChannel, pitChannel, pitChannel) }),
});
const clockState: fc.Arbitrary<ClockState> = fc.record({
  version: fc.constant(1 as const),
  nanoseconds: u64,
});

/** A decoded state, or the one error that decoders throw. */
function decoded<T>(format: StateFormat<T>, text: string): T | StateFormatError {
  try {
    return format.decode(text);
  } catch (error) {
    assert.ok(error instanceof StateFormatError, `threw ${String(error)}`);
    assert.ok(!error.message.includes('\n') && error.message.length < 300, error.message);
    return error;
  }
}

function formatTests<T extends object>(name: string, format: StateFormat<T>, states: fc.Arbitrary<T>): void {
  describe(name, () => {
    test('decodes what it encodes', () => {
      fc.assert(
        fc.property(states, (state) => {
          const text = format.encode(state);
          assert.deepEqual(toPlain(format.decode(text)), toPlain(state));
          assert.equal(format.encode(format.decode(text)), text);
        }),
      );
    });

    test('refuses any text with one clear error', () => {
      fc.assert(fc.property(fc.string(), (text) => decoded(format, text) instanceof StateFormatError));
      const values = fc.json();
      fc.assert(fc.property(values, (text) => decoded(format, text) instanceof StateFormatError));
    });

    test('refuses a document in which any one value was changed, removed or added, or reads it as another state', () => {
      fc.assert(
        fc.property(states, fc.nat(), fc.jsonValue(), fc.constantFrom('replace', 'remove', 'add'), mutate),
        { numRuns: 500 },
      );
    });

    function mutate(state: T, where: number, value: unknown, how: 'replace' | 'remove' | 'add'): void {
      const document: unknown = JSON.parse(format.encode(state));
      const places = [...placesIn(document)];
      const [container, key] = places[where % places.length]!;
      if (how === 'replace') container[key] = value;
      else if (how === 'remove') Reflect.deleteProperty(container, key);
      else container['stranger'] = value;
      const text = JSON.stringify(document);
      const result = decoded(format, text);
      // Whatever is accepted is canonical: nothing was ignored.
      if (!(result instanceof StateFormatError))
        assert.deepEqual(JSON.parse(format.encode(result)), JSON.parse(text));
    }
  });
}

/** Every property of every object and array. */
function* placesIn(json: unknown): Generator<[Record<string, unknown>, string]> {
  if (typeof json !== 'object' || json === null) return;
  for (const [key, value] of Object.entries(json)) {
    yield [json as Record<string, unknown>, key];
    yield* placesIn(value);
  }
}

/** fast-check's records have no prototype, which deepEqual tells apart. */
function toPlain(value: unknown): unknown {
  return structuredClone(value);
}

formatTests('vCPU state', vcpuStateFormat, vcpuState);
formatTests('interrupt controller state', interruptControllerStateFormat, controllerState);
formatTests('clock state', clockStateFormat, clockState);

describe('messages', () => {
  const clock = clockStateFormat.encode({ version: 1, nanoseconds: 5n });

  test('the text is as documented', () => {
    assert.equal(clock, '{"kind":"clock-state","version":1,"nanoseconds":"0x5"}');
  });

  for (const [text, message, code] of [
    ['', 'clock-state: not JSON', 'STATE_INVALID'],
    ['[]', 'clock-state: expected an object, found an array of 0', 'STATE_INVALID'],
    [
      clock.replace('"clock-state"', '"vcpu-state"'),
      'clock-state: kind: expected clock-state, found "vcpu-state"',
      'STATE_INVALID',
    ],
    [clock.replace(':1,', ':7,'), 'clock-state: version 7; this build reads 1', 'STATE_VERSION_UNKNOWN'],
    [
      clock.replace('"0x5"', '5'),
      'clock-state.nanoseconds: expected a 64-bit value such as "0x1f", found 5',
      'STATE_INVALID',
    ],
    [
      clock.replace('0x5', '0x10000000000000000'),
      'clock-state.nanoseconds: expected a 64-bit value such as "0x1f", found "0x10000000000000000"',
      'STATE_INVALID',
    ],
    [
      clock.replace('}', ',"x":0}'),
      'clock-state: expected known properties only, found "x"',
      'STATE_INVALID',
    ],
    [
      clock.replace(',"nanoseconds":"0x5"', ''),
      'clock-state.nanoseconds: expected a 64-bit value such as "0x1f", found nothing',
      'STATE_INVALID',
    ],
  ] as const) {
    test(message, () => {
      assert.throws(() => clockStateFormat.decode(text), { name: 'StateFormatError', message, code });
    });
  }

  test('a path leads into arrays and objects', () => {
    const state = fc.sample(controllerState, { numRuns: 1, seed: 1 })[0]!;
    const document = JSON.parse(interruptControllerStateFormat.encode(state));
    document.ioapic.redirectionTable[3] = '0xZ';
    assert.throws(
      () => interruptControllerStateFormat.decode(JSON.stringify(document)),
      /^StateFormatError: interrupt-controller-state\.ioapic\.redirectionTable\[3\]: expected a 64-bit value/,
    );
  });
});
