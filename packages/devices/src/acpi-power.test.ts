import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as acpi from '@vireo/spec/acpi';
import { AcpiPower, type AcpiPowerState } from './acpi-power.ts';
import { SavedStateError } from './saved-state.ts';
import { fuzzDevice } from './testing/fuzz-device.ts';
import { RecordingLine } from './testing/recording-line.ts';

const CONTROL = acpi.PM1_EVT_LEN_BYTES;

function makePower() {
  const sci = new RecordingLine();
  const sleeps: number[] = [];
  return { device: new AcpiPower({ sci, onSleep: (type) => sleeps.push(type) }), sci, sleeps };
}

test('§4.8.4.1: the power button sets PWRBTN_STS and raises SCI while PWRBTN_EN is set', () => {
  const { device, sci } = makePower();
  device.pressPowerButton();
  assert.equal(device.read(acpi.PM1_STS_OFFSET, 2), acpi.PWRBTN_STS);
  assert.equal(sci.level, false);
  device.write(acpi.PM1_EN_OFFSET, 2, acpi.PWRBTN_EN);
  assert.equal(sci.level, true);
  device.write(acpi.PM1_STS_OFFSET, 2, acpi.GBL_STS);
  assert.equal(sci.level, true, 'only written ones clear');
  device.write(acpi.PM1_STS_OFFSET, 2, acpi.PWRBTN_STS);
  assert.equal(sci.level, false);
  assert.equal(device.read(acpi.PM1_STS_OFFSET, 2), 0);
});

test('§4.8.4.2: SLP_EN enters the sleep state that SLP_TYP names, in one write or by bytes', () => {
  const { device, sleeps } = makePower();
  assert.equal(device.read(CONTROL, 2), acpi.SCI_EN);
  device.write(CONTROL, 2, (5 << acpi.SLP_TYP_SHIFT) | acpi.SCI_EN);
  assert.deepEqual(sleeps, []);
  device.write(CONTROL, 2, (5 << acpi.SLP_TYP_SHIFT) | acpi.SLP_EN | acpi.SCI_EN);
  device.write(CONTROL + 1, 1, ((3 << acpi.SLP_TYP_SHIFT) | acpi.SLP_EN) >> 8);
  assert.deepEqual(sleeps, [5, 3]);
  assert.equal(device.read(CONTROL, 2), (3 << acpi.SLP_TYP_SHIFT) | acpi.SCI_EN, 'SLP_EN reads as 0');
});

test('SCI_EN is hard-wired', () => {
  const { device } = makePower();
  device.write(CONTROL, 2, 0);
  assert.equal(device.read(CONTROL, 2), acpi.SCI_EN);
});

test('a reset clears the blocks and lowers SCI', () => {
  const { device, sci } = makePower();
  device.write(acpi.PM1_EN_OFFSET, 2, acpi.PWRBTN_EN);
  device.pressPowerButton();
  device.reset();
  assert.equal(sci.level, false);
  assert.deepEqual([device.read(0, 4), device.read(CONTROL, 2)], [0, acpi.SCI_EN]);
});

test('a saved device resumes, with its interrupt', () => {
  const { device } = makePower();
  device.write(acpi.PM1_EN_OFFSET, 2, acpi.PWRBTN_EN);
  device.write(CONTROL, 2, 2 << acpi.SLP_TYP_SHIFT);
  device.pressPowerButton();
  const state: AcpiPowerState = JSON.parse(JSON.stringify(device.save()));
  const restored = makePower();
  restored.device.restore(state);
  assert.deepEqual(restored.device.save(), state);
  assert.equal(restored.sci.level, true);
  assert.deepEqual(restored.sleeps, []);
});

test('a hostile state is refused', () => {
  const { device } = makePower();
  for (const change of [{ version: 0 }, { status: -1 }, { enable: 0x10000 }, { control: '5' }]) {
    const state = { ...device.save(), ...change } as AcpiPowerState;
    assert.throws(() => device.restore(state), SavedStateError);
  }
});

test('fuzz: no access throws or answers more than its size', () => {
  fuzzDevice({
    lengthBytes: AcpiPower.lengthBytes + 2,
    make: () => {
      const { device } = makePower();
      return { device, host: () => device.pressPowerButton() };
    },
  });
});
