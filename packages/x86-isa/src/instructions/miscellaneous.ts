/** Integer instructions that have no family (Intel SDM Vol. 1 §7.3.15 "Random Number Generator Instructions", §7.3.16 "Miscellaneous Instructions"). */
import { addressed, enc, type Instruction, instruction } from '../instruction.ts';
import { r, rw, w } from '../operand.ts';

const RAX = 0;

/** Intel SDM Vol. 2D "XLAT/XLATB—Table Look-up Translation". */
export const XLAT = instruction('XLAT', {
  encodings: [enc('NP', 'D7', r('mbx8'), addressed)],
  semantics(e, table) {
    const entry = e.displaced(table!, e.zeroExtend(e.readRegister(RAX, 8), 64));
    e.writeRegister(RAX, e.read(entry));
  },
});

/** Intel SDM Vol. 2A "CRC32—Accumulate CRC32 Value". */
export const CRC32 = instruction('CRC32', {
  encodings: [
    enc('RM', 'F2 0F 38 F0 /r', rw('ry'), r('rm8')),
    enc('RM', 'F2 0F 38 F1 /r', rw('ry'), r('rmv')),
  ],
  feature: 'SSE4.2',
  semantics(e, destination, source) {
    const checksum = e.truncate(e.read(destination!), 32);
    e.write(destination!, e.zeroExtend(e.crc32c(checksum, e.read(source!)), destination!.bits));
  },
});

/** Intel SDM Vol. 2B "RDRAND—Read Random Number", "RDSEED—Read Random SEED". Here there is always one, and CF is set. */
const randomNumber = (mnemonic: 'RDRAND' | 'RDSEED', digit: number): Instruction =>
  instruction(mnemonic, {
    encodings: [enc('M', `NFx 0F C7 /${digit}`, w('rrmv'))],
    feature: mnemonic,
    semantics(e, destination) {
      e.write(destination!, e.truncate(e.random(), destination!.bits));
      const clear = e.constant(1, 0);
      e.setFlags({ CF: e.constant(1, 1), OF: clear, SF: clear, ZF: clear, AF: clear, PF: clear });
    },
  });

export const MISCELLANEOUS: readonly Instruction[] = [
  ...[XLAT, CRC32],
  ...[randomNumber('RDRAND', 6), randomNumber('RDSEED', 7)],
];
