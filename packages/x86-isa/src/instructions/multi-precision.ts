/** Additions that use one flag each as their carry, so that two chains can run side by side: ADX. */
import type { StatusFlag } from '../builder.ts';
import { enc, type Instruction, instruction } from '../instruction.ts';
import { r, rw } from '../operand.ts';

function addWithFlag(mnemonic: string, prefix: string, flag: StatusFlag): Instruction {
  return instruction(mnemonic, {
    encodings: [enc('RM', `${prefix} 0F 38 F6 /r`, rw('ry'), r('rmy'))],
    feature: 'ADX',
    semantics(e, destination, source) {
      const a = e.read(destination!);
      const b = e.read(source!);
      const carry = e.zeroExtend(e.flag(flag), a.bits);
      const partial = e.binary('add', a, b);
      const sum = e.binary('add', partial, carry);
      e.write(destination!, sum);
      // At most one of the two additions carries.
      const carried = e.binary('or', e.compare('ltU', partial, a), e.compare('ltU', sum, carry));
      e.setFlags({ [flag]: carried });
    },
  });
}

/** Intel SDM Vol. 2A "ADCX—Unsigned Integer Addition of Two Operands With Carry Flag". */
export const ADCX = addWithFlag('ADCX', '66', 'CF');
/** Intel SDM Vol. 2A "ADOX—Unsigned Integer Addition of Two Operands With Overflow Flag". */
export const ADOX = addWithFlag('ADOX', 'F3', 'OF');

export const MULTI_PRECISION: readonly Instruction[] = [ADCX, ADOX];
