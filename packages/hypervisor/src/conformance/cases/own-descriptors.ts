/** Descriptors of a case's own, behind the GDT's fixed ones (Intel SDM Vol. 3A §3.4.5 "Segment Descriptors", Figure 5-8 "Call-Gate Descriptor"). */
import { descriptor, GDT, SELECTORS, type SegmentShape, segment } from '../guest-layout.ts';
import type { Machine } from '../machine.ts';

const CALL_GATE = 0xc;
const PRESENT = 0x80;

/** Their selectors, of privilege level 0. */
export const OWN = [0, 8, 16, 24].map((offset) => SELECTORS.free + offset) as [
  number,
  number,
  number,
  number,
];

export function setDescriptor(
  machine: Machine,
  selector: number,
  shape: Omit<SegmentShape, 'selector'>,
): void {
  machine.memory.writeU64(GDT + (selector & ~7), descriptor(segment({ selector, ...shape })));
}

export interface CallGate {
  readonly to: number;
  readonly label: string;
  readonly dpl: number;
  /** Words of 32 bits that go from one stack to the other. */
  readonly parameters?: number;
}

/** A call gate, of 16 bytes in long mode, for code at a label. */
export function setCallGate(machine: Machine, selector: number, gate: CallGate): void {
  const { memory, program } = machine;
  const offset = program.address(gate.label);
  const at = GDT + (selector & ~7);
  memory.writeU16(at, offset & 0xffff);
  memory.writeU16(at + 2, gate.to);
  memory.writeU16(at + 4, (gate.parameters ?? 0) | ((CALL_GATE | PRESENT | (gate.dpl << 5)) << 8));
  memory.writeU16(at + 6, offset >>> 16);
  if (machine.mode === 'long') memory.writeU64(at + 8, 0n);
}
