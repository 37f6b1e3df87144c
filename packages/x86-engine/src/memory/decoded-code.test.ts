/** The memory unit's search for decoded code (assembly/memory-unit/decoded-code.ts). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE_TABLE_ENTRY, CODE_TABLE_ENTRY_BYTES, codeTablePlace } from '../code-table.ts';
import { offsetOf } from '../cpu-state.ts';
import { setFlatSegments } from '../flat-segments.ts';
import { MemoryUnitMachine } from '../testing/memory-unit-machine.ts';
import { CODE_OUTCOME } from './unit-numbers.ts';

const RIP = 0x2000n;
const NOP = 0x90;

function machineWithCode(): MemoryUnitMachine {
  const machine = new MemoryUnitMachine();
  const { unit, physical, area } = machine;
  setFlatSegments(physical.view, area.state);
  physical.view.setUint32(area.state + offsetOf('tlb'), machine.translations.tlbOf('supervisor'), true);
  unit.setCodeMode(64);
  const address = machine.addressOf(RIP);
  physical.bytes.fill(NOP, address, address + 4);
  const copy = area.records + 64;
  physical.bytes.fill(NOP, copy, copy + 4);
  unit.keepCode(RIP, address, physical.states.version(address), area.records, copy, 4, 0, 0);
  return machine;
}

/** Whether what jumps look into still has the code. */
function isInTable({ physical, area }: MemoryUnitMachine): boolean {
  const entry = area.codeTable + codeTablePlace(RIP) * CODE_TABLE_ENTRY_BYTES;
  const generation = physical.view.getUint32(entry + CODE_TABLE_ENTRY.generation, true);
  return (['localGeneration', 'globalGeneration'] as const).some(
    (name) => physical.view.getUint32(area.state + offsetOf(name), true) === generation,
  );
}

test('what has been forgotten never counts again, however the generations go on', () => {
  for (const all of [false, true]) {
    const machine = machineWithCode();
    assert.ok(isInTable(machine));
    machine.unit.forgetCode(all);
    for (let round = 0; round < 50; round++) {
      assert.ok(!isInTable(machine), `round ${round}`);
      machine.unit.forgetCode(round % 3 !== 0);
    }
  }
});

test('an empty table has no code, not even at address 0', () => {
  const machine = new MemoryUnitMachine();
  assert.ok(!isInTable(machine));
});

test('code is found again by its place while its bytes are the same', () => {
  const machine = machineWithCode();
  machine.unit.forgetCode(true);
  assert.equal(machine.unit.findCode(RIP), machine.area.records);
  machine.physical.bytes[machine.addressOf(RIP) + 3] = 0xcc;
  machine.unit.forgetCode(true);
  assert.equal(machine.unit.findCode(RIP), 0);
  assert.equal(machine.unit.codeOutcome.value, CODE_OUTCOME.notDecoded);
});
