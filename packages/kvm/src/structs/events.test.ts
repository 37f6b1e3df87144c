import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HardwareBreakpoint, MpState, VcpuEvents } from '@vireo/hypervisor';
import fc from 'fast-check';
import * as abi from '../abi.ts';
import { DEBUG_REGISTERS, EVENTS } from '../testing/arbitrary-state.ts';
import { CStruct } from '../testing/c-struct.ts';
import * as events from './events.ts';

const ALL = { exceptionPayload: true, tripleFault: true };
const BASE_FLAGS =
  abi.KVM_VCPUEVENT_VALID_NMI_PENDING |
  abi.KVM_VCPUEVENT_VALID_SIPI_VECTOR |
  abi.KVM_VCPUEVENT_VALID_SHADOW |
  abi.KVM_VCPUEVENT_VALID_SMM;

function toC(state: VcpuEvents): CStruct<'kvm_vcpu_events'> {
  const { exception, interrupt, nmi, smi } = state;
  return new CStruct('kvm_vcpu_events', abi.SIZEOF_KVM_VCPU_EVENTS)
    .set('exception.injected', exception.injected)
    .set('exception.nr', exception.vector)
    .set('exception.has_error_code', exception.errorCode !== null)
    .set('exception.error_code', exception.errorCode ?? 0)
    .set('exception.pending', exception.pending)
    .set('exception_has_payload', exception.payload !== null)
    .set('exception_payload', exception.payload ?? 0)
    .set('interrupt.injected', interrupt.injected)
    .set('interrupt.nr', interrupt.vector)
    .set('interrupt.soft', interrupt.soft)
    .set('interrupt.shadow', interrupt.shadow)
    .set('nmi.injected', nmi.injected)
    .set('nmi.pending', nmi.pending)
    .set('nmi.masked', nmi.masked)
    .set('sipi_vector', state.sipiVector)
    .set('smi.smm', smi.inSmm)
    .set('smi.pending', smi.pending)
    .set('smi.smm_inside_nmi', smi.smmInsideNmi)
    .set('smi.latched_init', smi.latchedInit)
    .set('triple_fault.pending', state.tripleFaultPending);
}

describe('struct kvm_vcpu_events', () => {
  test('every field is where C has it, and marked as valid', () => {
    fc.assert(
      fc.property(EVENTS, (state) => {
        const flags = BASE_FLAGS | abi.KVM_VCPUEVENT_VALID_PAYLOAD | abi.KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
        const c = toC(state).set('flags', flags);
        assert.deepEqual(events.encodeEvents(state, ALL), c.bytes);
        assert.deepEqual(events.decodeEvents(c.bytes), state);
      }),
    );
  });

  test('without the capabilities nothing of theirs is set: KVM refuses flags it does not know', () => {
    fc.assert(
      fc.property(EVENTS, (state) => {
        const support = { exceptionPayload: false, tripleFault: false };
        const c = new CStruct('kvm_vcpu_events', events.encodeEvents(state, support));
        assert.equal(c.get('flags'), BigInt(BASE_FLAGS));
        for (const field of [
          'exception.pending',
          'exception_has_payload',
          'exception_payload',
          'triple_fault.pending',
        ] as const)
          assert.equal(c.get(field), 0n, field);
        // A pending exception is not lost: it is delivered without its side effects still to come.
        const { pending, injected } = state.exception;
        assert.equal(c.get('exception.injected'), BigInt(pending || injected));
      }),
    );
  });
});

describe('MP states', () => {
  test('have the numbers of KVM_MP_STATE_*', () => {
    const numbers: Record<MpState, number> = {
      runnable: 0,
      uninitialized: 1,
      'init-received': 2,
      halted: 3,
      'sipi-received': 4,
    };
    for (const [state, number] of Object.entries(numbers)) {
      assert.equal(events.encodeMpState(state as MpState), number);
      assert.equal(events.decodeMpState(number), state);
    }
  });

  test("another architecture's state is refused", () => {
    assert.throws(() => events.decodeMpState(5), RangeError);
  });
});

describe('struct kvm_debugregs', () => {
  test('every register is where C has it', () => {
    fc.assert(
      fc.property(DEBUG_REGISTERS, (state) => {
        const c = new CStruct('kvm_debugregs', abi.SIZEOF_KVM_DEBUGREGS);
        for (const i of [0, 1, 2, 3] as const) c.set(`db[${i}]`, state.addresses[i]);
        c.set('dr6', state.dr6).set('dr7', state.dr7);
        assert.deepEqual(events.encodeDebugRegisters(state), c.bytes);
        assert.deepEqual(events.decodeDebugRegisters(c.bytes), state);
      }),
    );
  });
});

describe('struct kvm_guest_debug', () => {
  const control = (debug: Parameters<typeof events.encodeGuestDebug>[0]) =>
    Number(new CStruct('kvm_guest_debug', events.encodeGuestDebug(debug)).get('control'));

  test('nothing asked for turns debugging off', () => {
    assert.equal(control({}), 0);
    assert.equal(control({ singleStep: false, softwareBreakpoints: false, hardwareBreakpoints: [] }), 0);
  });

  test('each wish has its flag, and all of them the enabling one', () => {
    assert.equal(control({ singleStep: true }), abi.KVM_GUESTDBG_ENABLE | abi.KVM_GUESTDBG_SINGLESTEP);
    assert.equal(
      control({ softwareBreakpoints: true }),
      abi.KVM_GUESTDBG_ENABLE | abi.KVM_GUESTDBG_USE_SW_BP,
    );
    const hardwareBreakpoints = [{ address: 1n, condition: 'execute', lengthBytes: 1 } as const];
    assert.equal(control({ hardwareBreakpoints }), abi.KVM_GUESTDBG_ENABLE | abi.KVM_GUESTDBG_USE_HW_BP);
  });

  test('DR7 has the enable, condition and length bits of Intel SDM Vol. 3B Figure 17-1', () => {
    const breakpoints: HardwareBreakpoint[] = [
      { address: 0xffffffff81000000n, condition: 'execute', lengthBytes: 1 },
      { address: 0x1000n, condition: 'write', lengthBytes: 4 },
      { address: 0x2000n, condition: 'read-write', lengthBytes: 8 },
      { address: 0x3000n, condition: 'write', lengthBytes: 2 },
    ];
    const c = new CStruct('kvm_guest_debug', events.encodeGuestDebug({ hardwareBreakpoints: breakpoints }));
    for (const i of [0, 1, 2, 3] as const)
      assert.equal(c.get(`arch.debugreg[${i}]`), breakpoints[i]!.address);
    // Lengths and conditions from breakpoint 3 down: 01.01, 10.11, 11.01, 00.00; G3 to G0; bit 10.
    assert.equal(c.get('arch.debugreg[7]'), 0b0101_1011_1101_0000_0000_0100_1010_1010n);
  });

  test('a fifth breakpoint is refused: there is no register for it', () => {
    const one: HardwareBreakpoint = { address: 1n, condition: 'execute', lengthBytes: 1 };
    assert.throws(
      () => events.encodeGuestDebug({ hardwareBreakpoints: [one, one, one, one, one] }),
      RangeError,
    );
  });
});
