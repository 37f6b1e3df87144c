/**
 * The x87's arithmetic, as the engine calls it: one function for an instruction, or for the part of it that computes.
 *
 * Operands and results are slots in memory (format.ts); `dst` may be one of the operands. `control` is the control
 * word, and the result is a status word's worth of flags (status.ts). The engine adds the exceptions to its status
 * word, replaces the condition codes that the instruction defines, and pops or pushes unless WITHHELD is among them.
 */
export { fadd, fsub } from './add';
export { fpatan } from './arctangent';
export { fcom, fucom, fxam } from './compare';
export { fldconst } from './constants';
export { fbld, fbstp } from './decimal';
export { fdiv } from './divide';
export { f2xm1 } from './exponential';
export { fild, fist16, fist32, fist64, fisttp16, fisttp32, fisttp64, frndint } from './integer';
export { fyl2x, fyl2xp1 } from './logarithm';
export { fmul } from './multiply';
export { fld32, fld64, fst32, fst64, widen32, widen64 } from './narrow';
export { fprem, fprem1 } from './remainder';
export { fscale, fxtract } from './scale';
export { fsqrt } from './square-root';
export { fcos, fptan, fsin, fsincos } from './trigonometry';
