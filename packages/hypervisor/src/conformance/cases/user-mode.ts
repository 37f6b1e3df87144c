/** The way to privilege level 3 (Intel SDM Vol. 2A "IRET/IRETD/IRETQ—Interrupt Return"). */
import { type Assembler, addressOf, ax, eax } from '../assembler.ts';
import { SELECTORS, USER_STACK_TOP } from '../guest-layout.ts';

/** IOPL 3: ports and interrupts are the guest's at any level. */
export const IOPL_3 = 0x3000;

/** Goes to privilege level 3 at `user`, on a stack of its own. `flags`: IF and IOPL are 0 if not given. */
export function enterUserMode(a: Assembler, flags = 0): void {
  const long = a.codeBits === 64;
  // QEMU's software emulation aborts on a 32-bit TSS that was not loaded by LTR but set busy, as hardware has it.
  a.mov(eax, SELECTORS.tss);
  a.ltr(ax);
  a.push(SELECTORS.userData);
  a.push(USER_STACK_TOP);
  a.push(0x2 | flags);
  a.push(long ? SELECTORS.userCode64 : SELECTORS.userCode32);
  a.push(addressOf('user'));
  a.iret();
  a.label('user');
}
