/** Bytes in the other order. */
import type { Builder, Value } from '../builder.ts';
import { enc, type Instruction, instruction } from '../instruction.ts';
import { r, rw, w } from '../operand.ts';

export function byteSwapped(e: Builder, value: Value): Value {
  const { bits } = value;
  let swapped = e.constant(bits, 0);
  for (let at = 0; at < bits; at += 8) {
    const byte = e.zeroExtend(e.truncate(e.shift('shr', value, e.constant(8, at)), 8), bits);
    swapped = e.binary('or', swapped, e.shift('shl', byte, e.constant(8, bits - 8 - at)));
  }
  return swapped;
}

/** Intel SDM Vol. 2A "BSWAP—Byte Swap". Of 16 bits it is undefined: processors clear them. */
export const BSWAP = instruction('BSWAP', {
  encodings: [enc('O', '0F C8 +r', rw('ov'))],
  semantics(e, destination) {
    const value = e.read(destination!);
    e.write(destination!, value.bits === 16 ? e.constant(16, 0) : byteSwapped(e, value));
  },
});

/** Intel SDM Vol. 2B "MOVBE—Move Data After Swapping Bytes". */
export const MOVBE = instruction('MOVBE', {
  encodings: [enc('RM', 'NFx 0F 38 F0 /r', w('rv'), r('mv')), enc('MR', 'NFx 0F 38 F1 /r', w('mv'), r('rv'))],
  feature: 'MOVBE',
  semantics(e, destination, source) {
    e.write(destination!, byteSwapped(e, e.read(source!)));
  },
});

export const BYTE_ORDER: readonly Instruction[] = [BSWAP, MOVBE];
