/** Control (Intel SDM Vol. 1 §8.3.11 "x87 FPU Control Instructions") but for what stores or loads whole states: x87-environment.ts. */
import type { Builder, Operand } from '../builder.ts';
import { enc, type Instruction, instruction } from '../instruction.ts';
import { r, w } from '../operand.ts';
import { x87, x87Implied } from './x87-rows.ts';

export const INITIAL_CONTROL = 0x37f;

/** Intel SDM Vol. 2A "FINIT/FNINIT—Initialize Floating-Point Unit". Registers keep what they hold. */
export function initialize(e: Builder): void {
  const { x87: fpu } = e;
  fpu.setControl(e.constant(16, INITIAL_CONTROL));
  fpu.setStatus(e.constant(16, 0));
  fpu.setTags('abridged', e.constant(8, 0));
  const none = e.constant(64, 0);
  fpu.setPointers({ opcode: e.constant(16, 0), instruction: none, data: none });
}

/** One that does not wait. */
export const notWaiting = (
  mnemonic: string,
  semantics: (e: Builder, ...operands: Operand[]) => void,
  ...encodings: readonly ReturnType<typeof enc>[]
): Instruction => instruction(mnemonic, { encodings, unit: 'x87', semantics });

/** The exceptions, SF, ES and B. */
const CLEARED = 0x80ff;

export const X87_CONTROL: readonly Instruction[] = [
  notWaiting('FNINIT', initialize, enc('NP', 'DB E3')),
  notWaiting(
    'FNCLEX',
    (e) => e.x87.setStatus(e.binary('and', e.x87.status(), e.constant(16, 0xffff & ~CLEARED))),
    enc('NP', 'DB E2'),
  ),
  x87('FLDCW', [enc('M', 'D9 /5', r('m16'))], (e, source) => e.x87.setControl(e.read(source!))),
  notWaiting(
    'FNSTCW',
    (e, destination) => e.write(destination!, e.x87.control()),
    enc('M', 'D9 /7', w('m16')),
  ),
  notWaiting(
    'FNSTSW',
    (e, destination) => e.write(destination!, e.x87.status()),
    enc('M', 'DD /7', w('m16')),
    enc('NP', 'DF E0', w('ax')),
  ),
  x87('FFREE', [enc('M', 'DD /0', w('sti'))], (e, register) => {
    e.x87.remember();
    e.x87.free(register!);
  }),
  /** In no table of the manual, but compilers use it. */
  x87('FFREEP', [enc('M', 'DF /0', w('sti'))], (e, register) => {
    e.x87.remember();
    e.x87.free(register!);
    e.x87.pop();
  }),
  x87Implied('FDECSTP', 'D9 F6', (e) => e.x87.rotate(-1)),
  x87Implied('FINCSTP', 'D9 F7', (e) => e.x87.rotate(1)),
  x87Implied('FNOP', 'D9 D0', () => {}),
  /** Of the 8087 and the 287; nothing since then (Intel SDM Vol. 3B chapter 22 "Architecture Compatibility"). */
  notWaiting('FNENI', () => {}, enc('NP', 'DB E0')),
  notWaiting('FNDISI', () => {}, enc('NP', 'DB E1')),
  notWaiting('FNSETPM', () => {}, enc('NP', 'DB E4')),
  /** Intel SDM Vol. 2D "WAIT/FWAIT—Wait". */
  instruction('FWAIT', { encodings: [enc('NP', '9B')], unit: 'wait', semantics: (e) => e.x87.wait() }),
];
