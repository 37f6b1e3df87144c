import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as apic from './lapic-registers.ts';
import { TestMachine } from './testing/test-controllers.ts';

test('xAPIC: writes keep the bits that exist, read-only registers stay', () => {
  const machine = TestMachine.enabled();
  for (const [register, value] of [
    [apic.APIC_TPR, 0xff],
    [apic.APIC_LDR, 0xff000000],
    [apic.APIC_DFR, 0xffffffff],
    [apic.APIC_SVR, 0x3ff],
    [apic.APIC_LVT_TIMER, 0x700ff],
    [apic.APIC_LVT_THERMAL, 0x107ff],
    [apic.APIC_LVT_LINT1, 0x1a7ff],
    [apic.APIC_LVT_ERROR, 0x100ff],
    [apic.APIC_DIVIDE, 0xb],
  ] as const) {
    machine.write(register, 0xffffffff);
    assert.equal(machine.read(register), value, register.toString(16));
  }
  for (const register of [apic.APIC_ID, apic.APIC_VERSION, apic.APIC_ISR, apic.APIC_CURRENT_COUNT]) {
    const before = machine.read(register);
    machine.write(register, 0xffffffff);
    assert.equal(machine.read(register), before, register.toString(16));
  }
});

test('xAPIC: narrow reads give their bytes, narrow or misaligned writes do nothing', () => {
  const machine = TestMachine.enabled();
  assert.equal(machine.vcpu().readPage(apic.APIC_VERSION, 1), 0x14);
  assert.equal(machine.vcpu().readPage(apic.APIC_VERSION + 2, 2), 5);
  machine.vcpu().writePage(apic.APIC_TPR, 1, 0x55);
  machine.vcpu().writePage(apic.APIC_TPR + 1, 4, 0x55);
  assert.equal(machine.read(apic.APIC_TPR), 0);
  assert.equal(machine.vcpu().readPage(apic.APIC_VERSION + 2, 4), 0xffffffff);
});

test('xAPIC: an offset without a register is an error', () => {
  const machine = TestMachine.enabled();
  for (const access of [() => machine.read(0x40), () => machine.write(0x3f0, 0)]) {
    access();
    machine.write(apic.APIC_ESR, 0);
    assert.equal(machine.read(apic.APIC_ESR), apic.ESR_ILLEGAL_REGISTER);
    machine.write(apic.APIC_ESR, 0);
    assert.equal(machine.read(apic.APIC_ESR), 0);
  }
});

test('x2APIC: MSRs fault outside that mode', () => {
  const machine = TestMachine.enabled();
  assert.equal(machine.vcpu().readMsr(0x802), 'gp');
  assert.equal(machine.vcpu().writeMsr(0x80b, 0n), 'gp');
});

test('x2APIC: which registers can be read and written (Table 10-6)', () => {
  const vcpu = TestMachine.x2apic().vcpu();
  const readable: number[] = [];
  const writable: number[] = [];
  for (let msr = 0x800; msr <= 0x8ff; msr++) {
    if (vcpu.readMsr(msr) !== 'gp') readable.push(msr);
    if (vcpu.writeMsr(msr, 0n) === 'ok') writable.push(msr);
  }
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  assert.deepEqual(readable, [
    ...[0x802, 0x803, 0x808, 0x80a, 0x80d, 0x80f],
    ...range(0x810, 0x828),
    ...[0x830, ...range(0x832, 0x839), 0x83e],
  ]);
  assert.deepEqual(writable, [
    ...[0x808, 0x80b, 0x80f, 0x828, 0x830],
    ...[...range(0x832, 0x838), 0x83e, 0x83f],
  ]);
});

test('x2APIC: reserved bits fault and change nothing (§10.12.1.3)', () => {
  const machine = TestMachine.x2apic();
  const vcpu = machine.vcpu();
  for (const [msr, value] of [
    [0x808, 0x100n],
    [0x808, 1n << 32n],
    [0x80b, 1n],
    [0x80f, 0x1000n],
    [0x828, 1n],
    [0x830, 0x1000n],
    [0x830, 0x2000n],
    [0x830, 0x100000n],
    [0x832, 0x80000n],
    [0x835, 0x20000n],
    [0x837, 0x100n],
    [0x838, 1n << 32n],
    [0x83e, 4n],
    [0x83f, 0x100n],
  ] as const) {
    const before = vcpu.readMsr(msr);
    assert.equal(vcpu.writeMsr(msr, value), 'gp', `${msr.toString(16)} ${value.toString(16)}`);
    assert.equal(vcpu.readMsr(msr), before);
  }
  assert.equal(vcpu.writeMsr(0x835, 0x5000n | 0x700n), 'ok', 'delivery status and remote IRR are read-only');
  assert.equal(vcpu.readMsr(0x835), 0x700n);
});

test('x2APIC: ids are whole, the ICR is one register, SELF IPI and EOI work', () => {
  const machine = TestMachine.x2apic(2);
  const vcpu = machine.vcpu(1);
  assert.equal(vcpu.readMsr(0x802), 1n);
  assert.equal(vcpu.writeMsr(0x830, 0x77_0000_4050n), 'ok');
  assert.equal(vcpu.readMsr(0x830), 0x77_0000_4050n);
  assert.equal(vcpu.writeMsr(0x83f, 0x51n), 'ok');
  assert.equal(vcpu.acknowledge(), 0x51);
  assert.equal(vcpu.readMsr(0x812), 1n << 17n);
  assert.equal(vcpu.writeMsr(0x80b, 0n), 'ok');
  assert.equal(vcpu.readMsr(0x812), 0n);
});

test('IA32_APIC_BASE: which changes of mode fault (§10.12.5)', () => {
  const off = 0xfee00000n;
  const xapic = 0xfee00800n;
  const x2apic = 0xfee00c00n;
  const invalid = 0xfee00400n;
  const results: string[] = [];
  for (const from of [off, xapic, x2apic])
    for (const to of [off, invalid, xapic, x2apic]) {
      const vcpu = new TestMachine().vcpu();
      vcpu.setApicBase(from);
      results.push(vcpu.writeApicBase(to));
      assert.equal(vcpu.apicBase, results.at(-1) === 'ok' ? to : from);
    }
  assert.deepEqual(results, [
    ...['ok', 'gp', 'ok', 'gp'],
    ...['ok', 'gp', 'ok', 'ok'],
    ...['ok', 'gp', 'gp', 'ok'],
  ]);
});

test('IA32_APIC_BASE: reserved bits and addresses beyond the processor’s fault; the page moves', () => {
  const vcpu = new TestMachine().vcpu();
  for (const bit of [0n, 7n, 9n, 40n, 63n]) assert.equal(vcpu.writeApicBase(0xfee00900n | (1n << bit)), 'gp');
  assert.equal(vcpu.pageGpa, 0xfee00000n);
  assert.equal(vcpu.writeApicBase(0xff_1234_5900n), 'ok');
  assert.equal(vcpu.pageGpa, 0xff_1234_5000n);
  vcpu.setApicBase(0xfee00d00n);
  assert.equal(vcpu.pageGpa, undefined);
});

test('to x2APIC and off again: the registers stay, then are as after reset (§10.12.5.1)', () => {
  const machine = TestMachine.enabled();
  const vcpu = machine.vcpu();
  machine.write(apic.APIC_TPR, 0x20);
  machine.write(apic.APIC_ICR_HIGH, 0x5000000);
  machine.enableX2apic();
  assert.equal(vcpu.readMsr(0x808), 0x20n);
  assert.equal(vcpu.readMsr(0x830), 0n);
  vcpu.writeApicBase(0xfee00100n);
  vcpu.writeApicBase(0xfee00900n);
  assert.equal(machine.read(apic.APIC_TPR), 0);
  assert.equal(machine.read(apic.APIC_SVR), 0xff);
});
