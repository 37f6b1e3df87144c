/** System instructions (Intel SDM Vol. 1 §5.18 "System Instructions"): what they are, for the system's side to do. */
import type { Builder, Operand, Value } from '../builder.ts';
import {
  addressed,
  enc,
  forces64,
  type Instruction,
  not64,
  only64,
  systemInstruction,
} from '../instruction.ts';
import { address, type OperandName, r, w } from '../operand.ts';
import type { SystemOperation } from '../system-operation.ts';

/** One that names no operand. */
const implied = (mnemonic: string, notation: string, operation: SystemOperation): Instruction =>
  systemInstruction(mnemonic, {
    encodings: [enc('ZO', notation)],
    semantics: (e) => void e.system(operation),
  });

/** Intel SDM Vol. 2B "MOV—Move to/from Control Registers", "MOV—Move to/from Debug Registers". */
function moveSpecial(read: SystemOperation, write: SystemOperation, operand: OperandName, opcode: number) {
  const notation = (byte: number) => `0F ${byte.toString(16)} /r`;
  return [
    systemInstruction('MOV', {
      encodings: [enc('MR', notation(opcode), w('rry'), r(operand), forces64)],
      semantics(e, destination, source) {
        const value = e.system(read, e.numberOf(source!));
        e.write(destination!, e.truncate(value, destination!.bits));
      },
    }),
    systemInstruction('MOV', {
      encodings: [enc('RM', notation(opcode + 2), w(operand), r('rry'), forces64)],
      semantics(e, destination, source) {
        e.system(write, e.numberOf(destination!), e.zeroExtend(e.read(source!), 64));
      },
    }),
  ];
}

/** Of a table in memory: LGDT, SGDT and the like. */
const table = (mnemonic: string, digit: number, operation: SystemOperation): Instruction =>
  systemInstruction(mnemonic, {
    encodings: [enc('M', `0F 01 /${digit}`, address('m'), forces64)],
    semantics: (e, operand) => void e.system(operation, e.linearAddressOf(operand!)),
  });

/** Stores a word: all of a register's operand size, or 16 bits of memory. */
const store = (mnemonic: string, notation: string, operation: SystemOperation): Instruction =>
  systemInstruction(mnemonic, {
    encodings: [enc('M', notation, w('rrmv')), enc('M', notation, w('m16'))],
    semantics(e, destination) {
      e.write(destination!, e.truncate(e.system(operation), destination!.bits));
    },
  });

const takesWord = (mnemonic: string, notation: string, operation: SystemOperation): Instruction =>
  systemInstruction(mnemonic, {
    encodings: [enc('M', notation, r('rm16'))],
    semantics: (e, source) => void e.system(operation, e.zeroExtend(e.read(source!), 64)),
  });

/** Intel SDM Vol. 2A "LAR—Load Access Rights Byte", "LSL—Load Segment Limit": the destination stays when ZF is clear. */
const describes = (mnemonic: string, notation: string, operation: SystemOperation): Instruction =>
  systemInstruction(mnemonic, {
    encodings: [enc('RM', notation, w('rv'), r('rm16'))],
    semantics(e, destination, source) {
      const selector = e.zeroExtend(e.read(source!), 64);
      const before = e.zeroExtend(e.read(destination!), 64);
      e.write(destination!, e.truncate(e.system(operation, selector, before), destination!.bits));
    },
  });

/** Intel SDM Vol. 2B "RDFSBASE/RDGSBASE", Vol. 2D "WRFSBASE/WRGSBASE—Write FS/GS Segment Base". */
function segmentBase(): Instruction[] {
  return ['FS', 'GS'].flatMap((name, number) => [
    systemInstruction(`RD${name}BASE`, {
      encodings: [enc('M', `F3 0F AE /${number}`, w('rry'), only64)],
      semantics(e, destination) {
        const base = e.system('readSegmentBase', e.constant(64, number));
        e.write(destination!, e.truncate(base, destination!.bits));
      },
    }),
    systemInstruction(`WR${name}BASE`, {
      encodings: [enc('M', `F3 0F AE /${number + 2}`, r('rry'), only64)],
      semantics(e, source) {
        e.system('writeSegmentBase', e.constant(64, number), e.zeroExtend(e.read(source!), 64));
      },
    }),
  ]);
}

/** EDX:EAX. */
export function pushPair(e: Builder, value: Value): void {
  e.writeRegister(0, e.truncate(value, 32));
  e.writeRegister(2, e.truncate(e.shift('shr', value, e.constant(64, 32)), 32));
}

const timeStamp = (mnemonic: string, notation: string, operation: SystemOperation): Instruction =>
  systemInstruction(mnemonic, {
    encodings: [enc('ZO', notation)],
    semantics: (e) => pushPair(e, e.system(operation)),
  });

/** Intel SDM Vol. 2B "RDPID—Read Processor ID". */
const RDPID = systemInstruction('RDPID', {
  encodings: [enc('M', 'F3 0F C7 /7', w('rry'), forces64)],
  semantics: (e, destination) =>
    e.write(destination!, e.truncate(e.system('readProcessorId'), destination!.bits)),
});

/** Intel SDM Vol. 2A "INVLPG—Invalidate TLB Entries", "INVPCID—Invalidate Process-Context Identifier". */
const INVLPG = systemInstruction('INVLPG', {
  encodings: [enc('M', '0F 01 /7', address('m'))],
  semantics: (e, operand) => void e.system('invalidatePage', e.linearAddressOf(operand!)),
});

const INVPCID = systemInstruction('INVPCID', {
  encodings: [enc('RM', '66 0F 38 82 /r', r('ry'), address('m'), forces64)],
  semantics(e, kind: Operand | undefined, descriptor: Operand | undefined) {
    const type = e.zeroExtend(e.read(kind!), 64);
    e.system('invalidateProcessContext', e.linearAddressOf(descriptor!), type);
  },
});

/** Intel SDM Vol. 2B "MONITOR—Set Up Monitor Address": at RAX, as wide as addresses are. */
const MONITOR = systemInstruction('MONITOR', {
  encodings: [enc('ZO', '0F 01 C8', addressed)],
  semantics: (e) => void e.system('monitor', e.zeroExtend(e.readRegister(0, e.addressBits), 64)),
});

/** Intel SDM Vol. 2A "ARPL—Adjust RPL Field of Segment Selector". */
const ARPL = systemInstruction('ARPL', {
  encodings: [enc('MR', '63 /r', w('rm16'), r('r16'), not64)],
  semantics(e, destination, source) {
    const [a, b] = [destination!, source!].map((operand) => e.zeroExtend(e.read(operand), 64));
    e.write(destination!, e.truncate(e.system('adjustPrivilege', a, b), 16));
  },
});

export const SYSTEM: readonly Instruction[] = [
  ...moveSpecial('readControlRegister', 'writeControlRegister', 'creg', 0x20),
  ...moveSpecial('readDebugRegister', 'writeDebugRegister', 'dreg', 0x21),
  ...[table('SGDT', 0, 'storeGdt'), table('SIDT', 1, 'storeIdt')],
  ...[table('LGDT', 2, 'loadGdt'), table('LIDT', 3, 'loadIdt')],
  ...[store('SLDT', '0F 00 /0', 'storeLdt'), store('STR', '0F 00 /1', 'storeTaskRegister')],
  ...[takesWord('LLDT', '0F 00 /2', 'loadLdt'), takesWord('LTR', '0F 00 /3', 'loadTaskRegister')],
  ...[takesWord('VERR', '0F 00 /4', 'verifyRead'), takesWord('VERW', '0F 00 /5', 'verifyWrite')],
  ...[store('SMSW', '0F 01 /4', 'storeMachineStatus'), takesWord('LMSW', '0F 01 /6', 'loadMachineStatus')],
  ...[describes('LAR', '0F 02 /r', 'loadAccessRights'), describes('LSL', '0F 03 /r', 'loadSegmentLimit')],
  ...[ARPL, INVLPG, INVPCID, MONITOR, RDPID, ...segmentBase()],
  implied('CLTS', '0F 06', 'clearTaskSwitched'),
  ...[implied('WBINVD', '0F 09', 'invalidateCaches'), implied('INVD', '0F 08', 'invalidateCaches')],
  ...[implied('RDMSR', '0F 32', 'readMsr'), implied('WRMSR', '0F 30', 'writeMsr')],
  ...[timeStamp('RDTSC', '0F 31', 'readTsc'), timeStamp('RDTSCP', '0F 01 F9', 'readTscAndId')],
  timeStamp('RDPMC', '0F 33', 'readPerformanceCounter'),
  timeStamp('XGETBV', 'NP 0F 01 D0', 'readExtendedControl'),
  implied('XSETBV', 'NP 0F 01 D1', 'writeExtendedControl'),
  ...[implied('CPUID', '0F A2', 'cpuid'), implied('HLT', 'F4', 'halt')],
  implied('MWAIT', '0F 01 C9', 'monitorWait'),
  implied('VMCALL', 'NP 0F 01 C1', 'hypercall'),
  implied('VMMCALL', '0F 01 D9', 'hypercall'),
  systemInstruction('SWAPGS', {
    encodings: [enc('ZO', '0F 01 F8', only64)],
    semantics: (e) => void e.system('swapGs'),
  }),
];
