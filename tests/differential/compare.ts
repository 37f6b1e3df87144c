/** Runs one case on silicon and in the engine, and says where they differ. */

import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import { FLAG_BIT } from '@vireo/x86-engine/status-flags';
import type { StatusFlag } from '@vireo/x86-isa';
import type { TestCase } from './case-generator.ts';
import type { EngineMachine } from './engine-machine.ts';
import { LAYOUT } from './native/address-space.ts';
import type { Silicon } from './native/silicon.ts';

const ALL_FLAGS = Object.keys(FLAG_BIT) as StatusFlag[];
const SEGV_MAPERR = 1;
const SEGV_ACCERR = 2;

/** @returns undefined when both agree */
export function difference(
  silicon: Silicon,
  engine: EngineMachine,
  variant: Variant,
  test: TestCase,
): string | undefined {
  const { code, registers, rflags, memory } = test;
  const native = silicon.run({
    code,
    state: { registers, rip: BigInt(LAYOUT.codeGva), rflags },
    memory: [{ address: LAYOUT.dataGva, bytes: memory }],
    readBack: [{ address: LAYOUT.dataGva, lengthBytes: LAYOUT.dataLengthBytes }],
  });
  const ours = engine.run(code, registers, rflags, memory);
  if (ours === undefined)
    return native.fault?.kind === 'ill' ? undefined : 'the decoder knows no such instruction';
  const found = faultDifference(native.fault, ours.fault);
  if (found !== undefined || native.fault) return found;
  if (native.state.rip !== ours.rip) return `rip ${hex(ours.rip)}, silicon ${hex(native.state.rip)}`;
  for (const [number, value] of native.state.registers.entries())
    if (ours.registers[number] !== value)
      return `register ${number} is ${hex(ours.registers[number]!)}, silicon ${hex(value)}`;
  return (
    flagDifference(variant, ours.rflags, native.state.rflags) ??
    (Buffer.compare(native.memory[0]!, engine.data()) === 0 ? undefined : 'memory differs')
  );
}

function faultDifference(
  native: ReturnType<Silicon['run']>['fault'],
  ours: bigint | undefined,
): string | undefined {
  if (native === undefined) return ours === undefined ? undefined : `a fault at ${hex(ours)}, silicon none`;
  // A stack access that is not canonical is #SS.
  if (native.kind !== 'segv' && native.kind !== 'bus') return `silicon: ${native.kind}`;
  if (ours === undefined) return `no fault, silicon one at ${hex(native.address)}`;
  const isPageFault = native.kind === 'segv' && (native.code === SEGV_MAPERR || native.code === SEGV_ACCERR);
  // A page fault is at the first byte that is not there; the engine says where the access began.
  const near = native.address >= ours && native.address < ours + 16n;
  return !isPageFault || near ? undefined : `a fault at ${hex(ours)}, silicon at ${hex(native.address)}`;
}

export function flagDifference({ instruction }: Variant, ours: bigint, native: bigint): string | undefined {
  const compared = ALL_FLAGS.filter((flag) => !instruction.undefinedFlags?.includes(flag));
  const differing = compared.filter((flag) => ((ours ^ native) >> BigInt(FLAG_BIT[flag])) & 1n);
  if (differing.length === 0) return undefined;
  return `${differing.join(', ')}: flags ${hex(ours)}, silicon ${hex(native)}`;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;
