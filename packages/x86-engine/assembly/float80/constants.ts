// biome-ignore-all lint/correctness/noPrecisionLoss: AssemblyScript's integers have 64 bits.
/**
 * Intel SDM Vol. 2A "FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ—Load Constant", Vol. 1 §8.3.4 "Load Constant
 * Instructions": rounded by the rounding control from a longer constant within, raising nothing.
 */
import { BIAS, INTEGER_BIT, put } from './format';
import { roundsUp } from './round';

const LOG2_10: u32 = 1;
const LOG2_E: u32 = 2;
const PI: u32 = 3;
const LOG10_2: u32 = 4;
const LN_2: u32 = 5;

/** `index` is the opcode's distance from D9 E8, FLD1. */
export function fldconst(dst: usize, index: u32, control: u32): void {
  if (index === 0) put(dst, BIAS, INTEGER_BIT);
  else if (index === LOG2_10) putRounded(dst, BIAS + 1, 0xd49a784bcd1b8afe, 0x492bf6ff4dafdb4c, control);
  else if (index === LOG2_E) putRounded(dst, BIAS, 0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88, control);
  else if (index === PI) putRounded(dst, BIAS + 1, 0xc90fdaa22168c234, 0xc4c6628b80dc1cd1, control);
  else if (index === LOG10_2) putRounded(dst, BIAS - 2, 0x9a209a84fbcff798, 0x8f8959ac0b7c9178, control);
  else if (index === LN_2) putRounded(dst, BIAS - 1, 0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af, control);
  else put(dst, 0, 0);
}

function putRounded(dst: usize, exponent: i32, significand: u64, rest: u64, control: u32): void {
  const up = roundsUp(0, (significand & 1) !== 0, rest, control);
  put(dst, exponent, significand + (up as u64));
}
