/** I/O ports (Intel SDM Vol. 1 chapter 19 "Input/Output"). */
import type { Builder, Operand, Value } from '../builder.ts';
import { addressed, enc, type Instruction, repeatable, systemInstruction } from '../instruction.ts';
import { r, w } from '../operand.ts';

const port = (e: Builder, operand: Operand): Value => e.zeroExtend(e.read(operand), 64);

/** Intel SDM Vol. 2A "IN—Input from Port". A port is 32 bits wide at most. */
const IN = systemInstruction('IN', {
  encodings: [
    enc('I', 'E4 ib', w('al'), r('imm8')),
    enc('I', 'E5 ib', w('av'), r('imm8')),
    enc('ZO', 'EC', w('al'), r('dx')),
    enc('ZO', 'ED', w('av'), r('dx')),
  ],
  semantics(e, destination, source) {
    const sizeBytes = e.constant(64, portBytes(e, destination!));
    e.system('readPort', port(e, source!), sizeBytes);
  },
});

/** Intel SDM Vol. 2B "OUT—Output to Port". */
const OUT = systemInstruction('OUT', {
  encodings: [
    enc('I', 'E6 ib', r('imm8'), r('al')),
    enc('I', 'E7 ib', r('imm8'), r('av')),
    enc('ZO', 'EE', r('dx'), r('al')),
    enc('ZO', 'EF', r('dx'), r('av')),
  ],
  semantics(e, destination, source) {
    const sizeBytes = e.constant(64, portBytes(e, source!));
    e.system('writePort', port(e, destination!), sizeBytes);
  },
});

function portBytes(e: Builder, { bits }: Operand): number {
  return bits === 8 ? 1 : Math.min(e.operandBits, 32) / 8;
}

/** Intel SDM Vol. 2A "INS/INSB/INSW/INSD—Input from Port to String", Vol. 2B "OUTS/OUTSB/OUTSW/OUTSD—Output String to Port". */
function string(
  mnemonic: string,
  opcode: number,
  operation: 'readPortString' | 'writePortString',
): Instruction[] {
  const define = (byte: number, sizeBytes: (e: Builder) => number) =>
    systemInstruction(mnemonic, {
      encodings: [enc('ZO', byte.toString(16).toUpperCase(), addressed, repeatable)],
      semantics(e) {
        const repeats = e.constant(64, e.repeat === 'none' ? 0 : 1);
        e.system(operation, e.constant(64, sizeBytes(e) | (e.addressBits << 8)), repeats);
      },
    });
  return [define(opcode, () => 1), define(opcode + 1, (e) => Math.min(e.operandBits, 32) / 8)];
}

export const PORTS: readonly Instruction[] = [
  ...[IN, OUT],
  ...string('INS', 0x6c, 'readPortString'),
  ...string('OUTS', 0x6e, 'writePortString'),
];
