/** A port's answer goes to memory that was there when the port was asked, and is not any more. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openLongModeMachine, PAGE, PAGE_TABLE } from './long-mode-machine.ts';

const REP_INSB = [0xf3, 0x6c];
const INSW = [0x66, 0x6d];
const IOPL_AND_AC = 0x4_3002n;
/** The entry of the page table that leads to the table itself. */
const ENTRY = 5;
const DR7_WRITE_0 = 0x1_0401n;

describe('INS', () => {
  test('over the page-table entry that it goes through is a page fault at its second byte', async () => {
    using machine = await openLongModeMachine(REP_INSB);
    const { vcpu, memory } = machine;
    memory.setBigUint64(PAGE_TABLE + ENTRY * 8, BigInt(PAGE_TABLE) | 0x67n, true);
    const rdi = BigInt(ENTRY * 0x1000 + ENTRY * 8);
    // A page that is watched is looked up for each access.
    vcpu.setDebugRegisters({ addresses: [rdi + 0x800n, 0n, 0n, 0n], dr6: 0xffff_0ff0n, dr7: DR7_WRITE_0 });
    vcpu.setRegisters({ ...vcpu.getRegisters(), rip: BigInt(PAGE), rdi, rcx: 4n, rdx: 0x80n });
    const exit = vcpu.run();
    assert.ok(exit.kind === 'io' && exit.data.byteLength === 4);
    exit.data.setUint32(0, 0);
    assert.equal(vcpu.run().kind, 'shutdown');
    assert.equal(vcpu.getSpecialRegisters().cr2, rdi + 1n);
    assert.equal(vcpu.getRegisters().rip, BigInt(PAGE));
  });

  test('to a misaligned address at privilege level 3 is #AC before the port is asked', async () => {
    using machine = await openLongModeMachine(INSW, 3);
    const { vcpu } = machine;
    const registers = { ...vcpu.getRegisters(), rip: BigInt(PAGE), rdx: 0x80n, rflags: IOPL_AND_AC };
    vcpu.setRegisters({ ...registers, rdi: 0x7002n });
    assert.equal(vcpu.run().kind, 'io');
    vcpu.setRegisters({ ...registers, rdi: 0x7001n });
    assert.equal(vcpu.completeExit().kind, 'interrupted');
    vcpu.setRegisters({ ...registers, rdi: 0x7001n });
    assert.equal(vcpu.run().kind, 'shutdown');
  });
});
