/** Segment registers, and the stack instructions of 16- and 32-bit code (Intel SDM Vol. 1 §7.3.14 "Segment Register Instructions"). */
import type { Builder, Value } from '../builder.ts';
import { defaults64, enc, type Instruction, not64, systemInstruction } from '../instruction.ts';
import { address, r, w } from '../operand.ts';
import { push } from './stack.ts';

const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'] as const;
type SegmentRegister = (typeof SEGMENTS)[number];

const number = (e: Builder, name: SegmentRegister): Value => e.constant(64, SEGMENTS.indexOf(name));

/** Intel SDM Vol. 2B "MOV—Move", of segment registers. */
const FROM_SEGMENT = systemInstruction('MOV', {
  encodings: [enc('MR', '8C /r', w('rrmv'), r('sreg')), enc('MR', '8C /r', w('m16'), r('sreg'))],
  semantics(e, destination, source) {
    const selector = e.system('readSelector', e.numberOf(source!));
    e.write(destination!, e.truncate(selector, destination!.bits));
  },
});

const TO_SEGMENT = systemInstruction('MOV', {
  encodings: [enc('RM', '8E /r', w('sreg'), r('rm16'))],
  semantics(e, destination, source) {
    e.system('loadSegment', e.numberOf(destination!), e.zeroExtend(e.read(source!), 64));
  },
});

/** What of PUSH and POP is for segment registers. CS can only be pushed. */
const STACK_OPCODES: readonly (readonly [SegmentRegister, push: string, pop?: string])[] = [
  ['ES', '06', '07'],
  ['CS', '0E'],
  ['SS', '16', '17'],
  ['DS', '1E', '1F'],
  ['FS', '0F A0', '0F A1'],
  ['GS', '0F A8', '0F A9'],
];

function onStack(): Instruction[] {
  return STACK_OPCODES.flatMap(([name, pushed, popped]) => {
    const modes = name === 'FS' || name === 'GS' ? [] : [not64];
    const pushes = systemInstruction('PUSH', {
      encodings: [enc('ZO', pushed, defaults64, ...modes)],
      semantics: (e) => push(e, e.truncate(e.system('readSelector', number(e, name)), e.operandBits)),
    });
    if (popped === undefined) return [pushes];
    return [
      pushes,
      systemInstruction('POP', {
        encodings: [enc('ZO', popped, defaults64, ...modes)],
        semantics: pop(name),
      }),
    ];
  });
}

const pop = (name: SegmentRegister) => (e: Builder) => {
  const offset = e.stackPointer();
  const value = e.loadStack(offset, e.operandBits);
  e.system('loadSegment', number(e, name), e.zeroExtend(e.truncate(value, 16), 64));
  e.setStackPointer(e.binary('add', offset, e.constant(64, e.operandBits / 8)));
};

/** Intel SDM Vol. 2A "LDS/LES/LFS/LGS/LSS—Load Far Pointer". */
const farPointer = (name: SegmentRegister, notation: string): Instruction =>
  systemInstruction(`L${name}`, {
    encodings: [enc('RM', notation, w('rv'), address('m'), ...(notation.startsWith('C') ? [not64] : []))],
    semantics(e, destination, pointer) {
      const offset = e.system('loadFarPointer', number(e, name), e.linearAddressOf(pointer!));
      e.write(destination!, e.truncate(offset, destination!.bits));
    },
  });

/** Intel SDM Vol. 2A "ENTER—Make Stack Frame for Procedure Parameters". */
const ENTER = systemInstruction('ENTER', {
  encodings: [enc('II', 'C8 iw ib', r('imm24'), defaults64)],
  semantics(e, frame) {
    const both = e.zeroExtend(e.read(frame!), 64);
    const sizeBytes = e.binary('and', both, e.constant(64, 0xffff));
    e.system(
      'enter',
      sizeBytes,
      e.binary('and', e.shift('shr', both, e.constant(64, 16)), e.constant(64, 31)),
    );
  },
});

/** Intel SDM Vol. 2B "PUSHA/PUSHAD—Push All General-Purpose Registers", "POPA/POPAD—Pop All General-Purpose Registers". */
const PUSHA = systemInstruction('PUSHA', {
  encodings: [enc('ZO', '60', not64)],
  semantics: (e) => void e.system('pushAll'),
});
const POPA = systemInstruction('POPA', {
  encodings: [enc('ZO', '61', not64)],
  semantics: (e) => void e.system('popAll'),
});

/** Intel SDM Vol. 2A "BOUND—Check Array Index Against Bounds". */
const BOUND = systemInstruction('BOUND', {
  encodings: [enc('RM', '62 /r', r('rv'), address('m'), not64)],
  semantics: (e, index, bounds) =>
    void e.system('checkBounds', e.zeroExtend(e.read(index!), 64), e.linearAddressOf(bounds!)),
});

export const SEGMENT_INSTRUCTIONS: readonly Instruction[] = [
  ...[FROM_SEGMENT, TO_SEGMENT, ...onStack()],
  ...[farPointer('ES', 'C4 /r'), farPointer('DS', 'C5 /r'), farPointer('SS', '0F B2 /r')],
  ...[farPointer('FS', '0F B4 /r'), farPointer('GS', '0F B5 /r')],
  ...[ENTER, PUSHA, POPA, BOUND],
];
