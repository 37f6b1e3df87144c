/** Transfers between segments, interrupts and system calls (Intel SDM Vol. 1 §6.4 "Calling Procedures Using Call and RET", §6.5 "Interrupts and Exceptions"). */
import type { Builder, Operand } from '../builder.ts';
import { enc, type Instruction, not64, only64, systemInstruction } from '../instruction.ts';
import { address, r } from '../operand.ts';
import type { SystemOperation } from '../system-operation.ts';

const implied = (
  mnemonic: string,
  notation: string,
  operation: SystemOperation,
  ...options: (typeof not64 | typeof only64)[]
) =>
  systemInstruction(mnemonic, {
    encodings: [enc('ZO', notation, ...options)],
    semantics: (e) => void e.system(operation),
  });

/** Intel SDM Vol. 2A "JMP—Jump", "CALL—Call Procedure", far: to a pointer in the instruction, or in memory. */
function far(mnemonic: string, opcode: string, digit: number, kind: 'Jump' | 'Call'): Instruction[] {
  return [
    systemInstruction(mnemonic, {
      encodings: [enc('D', `${opcode} cp`, r('far'), not64)],
      semantics: (e, pointer) => void e.system(`far${kind}`, e.read(pointer!)),
    }),
    systemInstruction(mnemonic, {
      encodings: [enc('M', `FF /${digit}`, address('m'))],
      semantics: (e, pointer) => void e.system(`far${kind}Indirect`, e.linearAddressOf(pointer!)),
    }),
  ];
}

const withWord = (operation: SystemOperation) => (e: Builder, operand?: Operand) =>
  void e.system(operation, operand ? e.zeroExtend(e.read(operand), 64) : e.constant(64, 0));

/** Intel SDM Vol. 2B "RET—Return From Procedure", far. */
const RETF = systemInstruction('RETF', {
  encodings: [enc('ZO', 'CB'), enc('I', 'CA iw', r('imm16'))],
  semantics: withWord('farReturn'),
});

/** Intel SDM Vol. 2A "INT n/INTO/INT3/INT1—Call to Interrupt Procedure". */
const INT = systemInstruction('INT', {
  encodings: [enc('I', 'CD ib', r('imm8'))],
  semantics: withWord('softwareInterrupt'),
});

/** Intel SDM Vol. 2D "UD—Undefined Instruction". */
const UD = [
  systemInstruction('UD2', { encodings: [enc('ZO', '0F 0B')], semantics: (e) => e.raise('UD') }),
  ...['0F B9 /r', '0F FF /r'].map((notation, place) =>
    systemInstruction(place === 0 ? 'UD1' : 'UD0', {
      encodings: [enc('RM', notation, r('r32'), r('rm32'))],
      semantics: (e) => e.raise('UD'),
    }),
  ),
];

export const FAR_CONTROL: readonly Instruction[] = [
  ...far('JMP', 'EA', 5, 'Jump'),
  ...far('CALL', '9A', 3, 'Call'),
  ...[RETF, INT, ...UD],
  implied('IRET', 'CF', 'interruptReturn'),
  ...[implied('INT3', 'CC', 'breakpoint'), implied('INTO', 'CE', 'overflow', not64)],
  implied('INT1', 'F1', 'debugTrap'),
  ...[implied('SYSCALL', '0F 05', 'systemCall'), implied('SYSRET', '0F 07', 'systemReturn', only64)],
  ...[implied('SYSENTER', '0F 34', 'systemEnter'), implied('SYSEXIT', '0F 35', 'systemExit')],
];
