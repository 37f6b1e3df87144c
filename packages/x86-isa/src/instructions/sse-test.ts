/** Intel SDM Vol. 2B "PTEST—Logical Compare": vectors that set RFLAGS. */
import { enc, type Instruction, instruction } from '../instruction.ts';
import { r } from '../operand.ts';

const PTEST = instruction('PTEST', {
  encodings: [enc('RM', '66 0F 38 17 /r', r('x'), r('xm128'))],
  feature: 'SSE4.1',
  semantics(e, first, second) {
    const { vector } = e;
    const a = e.read(first!);
    const b = e.read(second!);
    const isNone = (operation: 'v128.and' | 'v128.andnot') =>
      e.binary('xor', vector.anyTrue(vector.binary(operation, b, a)), e.constant(1, 1));
    const clear = e.constant(1, 0);
    const [ZF, CF] = [isNone('v128.and'), isNone('v128.andnot')];
    e.setFlags({ ZF, CF, PF: clear, AF: clear, SF: clear, OF: clear });
  },
});

export const SSE_TEST: readonly Instruction[] = [PTEST];
