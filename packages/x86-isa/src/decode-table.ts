/** Finds the encodings that an opcode byte may be, from the instruction table. */
import type { Encoding, Instruction } from './instruction.ts';
import { INSTRUCTIONS } from './instructions.ts';
import type { OpcodeMap } from './opcode.ts';

export interface Candidate {
  readonly instruction: Instruction;
  readonly encoding: Encoding;
}

type Row = readonly (readonly Candidate[] | undefined)[];

/** Without VEX and with it, the same bytes mean different things. */
function fill(withVex: boolean): Readonly<Record<OpcodeMap, Row>> {
  const rows: Record<OpcodeMap, Candidate[][]> = { 'one-byte': [], '0f': [], '0f38': [], '0f3a': [] };
  for (const instruction of INSTRUCTIONS) {
    for (const encoding of instruction.encodings) {
      const { map, byte, plusRegister, vex } = encoding.opcode;
      if ((vex !== undefined) !== withVex) continue;
      for (let at = byte; at < byte + (plusRegister ? 8 : 1); at++)
        rows[map][at] = [...(rows[map][at] ?? []), { instruction, encoding }];
    }
  }
  return rows;
}

const ROWS = fill(false);
const VEX_ROWS = fill(true);

export function candidates(map: OpcodeMap, byte: number, withVex: boolean): readonly Candidate[] {
  return (withVex ? VEX_ROWS : ROWS)[map][byte] ?? [];
}
