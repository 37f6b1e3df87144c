/** Instructions about flags alone (Intel SDM Vol. 1 §7.3.13 "Flag Control (EFLAG) Instructions"). */
import type { Builder, StatusFlag } from '../builder.ts';
import { enc, type Instruction, instruction } from '../instruction.ts';

const implied = (mnemonic: string, opcode: string, semantics: (e: Builder) => void): Instruction =>
  instruction(mnemonic, { encodings: [enc('NP', opcode)], semantics });

/** Intel SDM Vol. 2A "CLC—Clear Carry Flag", "CMC—Complement Carry Flag", Vol. 2B "STC—Set Carry Flag". */
export const CLC = implied('CLC', 'F8', (e) => e.setFlags({ CF: e.constant(1, 0) }));
export const STC = implied('STC', 'F9', (e) => e.setFlags({ CF: e.constant(1, 1) }));
export const CMC = implied('CMC', 'F5', (e) => e.setFlags({ CF: e.not(e.flag('CF')) }));

/** Intel SDM Vol. 2A "CLD—Clear Direction Flag", Vol. 2B "STD—Set Direction Flag". */
export const CLD = implied('CLD', 'FC', (e) => e.setDirectionFlag(e.constant(1, 0)));
export const STD = implied('STD', 'FD', (e) => e.setDirectionFlag(e.constant(1, 1)));

/** Where AH has the flags, as in the low byte of RFLAGS: OF is not among them. */
const PLACES: readonly (readonly [StatusFlag, number])[] = [
  ...([['CF', 0] as const, ['PF', 2] as const, ['AF', 4] as const] as const),
  ...([['ZF', 6] as const, ['SF', 7] as const] as const),
];
/** Bit 1 of RFLAGS is always set. */
const ALWAYS_SET = 2;
const RAX = 0;
const AH_SHIFT = 8;

/** Intel SDM Vol. 2A "LAHF—Load Status Flags Into AH Register". */
export const LAHF = implied('LAHF', '9F', (e) => {
  let flags = e.constant(16, ALWAYS_SET);
  for (const [flag, place] of PLACES) {
    const bit = e.zeroExtend(e.flag(flag), 16);
    flags = e.binary('or', flags, e.shift('shl', bit, e.constant(8, place)));
  }
  const low = e.zeroExtend(e.readRegister(RAX, 8), 16);
  e.writeRegister(RAX, e.binary('or', low, e.shift('shl', flags, e.constant(8, AH_SHIFT))));
});

/** Intel SDM Vol. 2B "SAHF—Store AH Into Flags". */
export const SAHF = implied('SAHF', '9E', (e) => {
  const value = e.readRegister(RAX, 16);
  const bit = (place: number) => e.truncate(e.shift('shr', value, e.constant(8, AH_SHIFT + place)), 1);
  e.setFlags(Object.fromEntries(PLACES.map(([flag, place]) => [flag, bit(place)])));
});

export const FLAG_CONTROL: readonly Instruction[] = [CLC, STC, CMC, CLD, STD, LAHF, SAHF];
