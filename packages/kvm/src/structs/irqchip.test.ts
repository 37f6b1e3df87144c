import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GsiRoute, IoapicState, PicState, PitChannelState, PitState } from '@vireo/hypervisor';
import fc from 'fast-check';
import * as abi from '../abi.ts';
import { record, recordOf, U8, U16, U32, U64 } from '../testing/arbitrary-state.ts';
import { CStruct } from '../testing/c-struct.ts';
import * as irqchip from './irqchip.ts';

const PIC_NAMES = {
  lastIrr: 'last_irr',
  irr: 'irr',
  imr: 'imr',
  isr: 'isr',
  priorityAdd: 'priority_add',
  irqBase: 'irq_base',
  readRegisterSelect: 'read_reg_select',
  poll: 'poll',
  specialMask: 'special_mask',
  initState: 'init_state',
  autoEoi: 'auto_eoi',
  rotateOnAutoEoi: 'rotate_on_auto_eoi',
  specialFullyNestedMode: 'special_fully_nested_mode',
  init4: 'init4',
  elcr: 'elcr',
  elcrMask: 'elcr_mask',
} as const satisfies Record<keyof PicState, string>;
const PIC_FIELDS = Object.keys(PIC_NAMES) as (keyof PicState)[];

const PIC: fc.Arbitrary<PicState> = recordOf(PIC_FIELDS, U8);
const IOAPIC: fc.Arbitrary<IoapicState> = record({
  baseAddress: U64,
  ioregsel: U32,
  id: U32,
  irr: U32,
  redirectionTable: fc.array(U64, { minLength: 24, maxLength: 24 }),
});

describe('struct kvm_irqchip', () => {
  test('a PIC is where C has it, under its chip id', () => {
    fc.assert(
      fc.property(PIC, fc.constantFrom(0, 1), (state, chipId) => {
        const c = new CStruct('kvm_irqchip', abi.SIZEOF_KVM_IRQCHIP).set('chip_id', chipId);
        for (const name of PIC_FIELDS) c.set(`chip.pic.${PIC_NAMES[name]}`, state[name]);
        assert.deepEqual(irqchip.encodePic(chipId, state), c.bytes);
        assert.deepEqual(irqchip.decodePic(c.bytes), state);
      }),
    );
  });

  test('the I/O APIC is where C has it', () => {
    fc.assert(
      fc.property(IOAPIC, (state) => {
        const encoded = irqchip.encodeIoapic(state);
        const c = new CStruct('kvm_irqchip', encoded);
        assert.equal(c.get('chip_id'), BigInt(abi.KVM_IRQCHIP_IOAPIC));
        assert.equal(c.get('chip.ioapic.base_address'), state.baseAddress);
        assert.equal(c.get('chip.ioapic.ioregsel'), BigInt(state.ioregsel));
        assert.equal(c.get('chip.ioapic.id'), BigInt(state.id));
        assert.equal(c.get('chip.ioapic.irr'), BigInt(state.irr));
        for (const pin of [0, 1, 23] as const)
          assert.equal(c.get(`chip.ioapic.redirtbl[${pin}].bits`), state.redirectionTable[pin]);
        assert.deepEqual(irqchip.decodeIoapic(encoded), state);
      }),
    );
  });
});

const PIT_NAMES = {
  count: 'count',
  latchedCount: 'latched_count',
  countLatched: 'count_latched',
  statusLatched: 'status_latched',
  status: 'status',
  readState: 'read_state',
  writeState: 'write_state',
  writeLatch: 'write_latch',
  rwMode: 'rw_mode',
  mode: 'mode',
  bcd: 'bcd',
  gate: 'gate',
  countLoadTime: 'count_load_time',
} as const satisfies Record<keyof PitChannelState, string>;

const PIT_CHANNEL: fc.Arbitrary<PitChannelState> = record({
  count: U32,
  latchedCount: U16,
  countLatched: U8,
  statusLatched: U8,
  status: U8,
  readState: U8,
  writeState: U8,
  writeLatch: U8,
  rwMode: U8,
  mode: U8,
  bcd: U8,
  gate: U8,
  countLoadTime: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
});

describe('struct kvm_pit_state2', () => {
  test('every counter is where C has it', () => {
    fc.assert(
      fc.property(fc.tuple(PIT_CHANNEL, PIT_CHANNEL, PIT_CHANNEL), (channels) => {
        const state: PitState = { channels };
        const c = new CStruct('kvm_pit_state2', abi.SIZEOF_KVM_PIT_STATE2);
        for (const i of [0, 1, 2] as const) {
          for (const name of Object.keys(PIT_NAMES) as (keyof PitChannelState)[])
            c.set(`channels[${i}].${PIT_NAMES[name]}`, channels[i][name]);
        }
        assert.deepEqual(irqchip.encodePit(state), c.bytes);
        assert.deepEqual(irqchip.decodePit(c.bytes), state);
      }),
    );
  });
});

describe('struct kvm_irq_routing', () => {
  test('lines and messages are where C has them', () => {
    const routes: GsiRoute[] = [
      { kind: 'irqchip', gsi: 10, chip: 'pic-slave', pin: 2 },
      { kind: 'msi', gsi: 0x1234, msi: { address: 0x12_fee0_1004n, data: 0xdeadbeef } },
    ];
    const bytes = irqchip.encodeRouting(routes);
    assert.equal(bytes.length, 8 + 2 * abi.SIZEOF_KVM_IRQ_ROUTING_ENTRY);
    const c = new CStruct('kvm_irq_routing', bytes.length).set('nr', 2);
    c.set('entries[0].gsi', 10).set('entries[0].type', abi.KVM_IRQ_ROUTING_IRQCHIP);
    c.set('entries[0].u.irqchip.irqchip', abi.KVM_IRQCHIP_PIC_SLAVE).set('entries[0].u.irqchip.pin', 2);
    c.set('entries[1].gsi', 0x1234).set('entries[1].type', abi.KVM_IRQ_ROUTING_MSI);
    c.set('entries[1].u.msi.address_lo', 0xfee01004).set('entries[1].u.msi.address_hi', 0x12);
    c.set('entries[1].u.msi.data', 0xdeadbeef);
    assert.deepEqual(bytes, c.bytes);
  });

  test('each chip has its KVM_IRQCHIP_* number', () => {
    const chipOf = (chip: 'pic-master' | 'pic-slave' | 'ioapic') =>
      new CStruct('kvm_irq_routing', irqchip.encodeRouting([{ kind: 'irqchip', gsi: 0, chip, pin: 0 }])).get(
        'entries[0].u.irqchip.irqchip',
      );
    assert.deepEqual([chipOf('pic-master'), chipOf('pic-slave'), chipOf('ioapic')], [0n, 1n, 2n]);
  });

  test('an empty table is a header', () => {
    assert.deepEqual(irqchip.encodeRouting([]), new Uint8Array(8));
  });
});
