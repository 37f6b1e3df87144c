/** INT n, INT3, INTO and INT1 (Intel SDM Vol. 2A "INT n/INTO/INT3/INT1—Call to Interrupt Procedure"). The saved RIP is behind the instruction. */
import { deliverOnce } from './event-delivery.ts';
import { requireIoPrivilegeInVirtual8086 } from './flags.ts';
import { VECTOR } from './guest-fault.ts';
import { interruptReturn as returnFromInterrupt } from './interrupt-return.ts';
import { RFLAGS } from './processor.ts';
import type { Operation, Operations } from './system-processor.ts';

/** Without the virtual-8086 mode extensions nothing is redirected: with IOPL 3 it goes to protected mode's handler. */
const softwareInterrupt: Operation = (processor, { a }) => {
  requireIoPrivilegeInVirtual8086(processor);
  deliverOnce(processor, { vector: Number(a & 0xffn), source: 'software' });
};

const breakpoint: Operation = (processor) => {
  deliverOnce(processor, { vector: VECTOR.BP, source: 'software' });
};

const overflow: Operation = (processor) => {
  if ((processor.general.rflags & RFLAGS.OF) !== 0n)
    deliverOnce(processor, { vector: VECTOR.OF, source: 'software' });
};

/** INT1 looks like hardware's #DB: no gate refuses it, and DR6 stays as it is. */
const debugTrap: Operation = (processor) => {
  deliverOnce(processor, { vector: VECTOR.DB, source: 'exception' });
};

const interruptReturn: Operation = (processor, { operandBits }) => {
  returnFromInterrupt(processor, (operandBits / 8) as 2 | 4 | 8);
};

export const SOFTWARE_INTERRUPTS = {
  ...{ softwareInterrupt, breakpoint, overflow, debugTrap, interruptReturn },
} satisfies Partial<Operations>;
