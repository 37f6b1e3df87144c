/**
 * System operations that most often need nothing but the vCPU's state: their handlers do them where they may, and leave them
 * to the host where they may not. A kernel masks and unmasks interrupts more often than it does anything else of the system's.
 */
import type { SystemOperation } from '@vireo/x86-isa';
import { offsetOf } from '../cpu-state.ts';
import { RFLAGS } from '../system/processor.ts';
import type { Code } from '../wasm/code.ts';
import { CONVERT, I32, I64 } from '../wasm/instructions.ts';
import { STATE_LOCAL } from './handler-type.ts';
import { pushNextRip } from './rip.ts';

/** Bits of the state's `privileges`. */
export const PRIVILEGE = {
  /** RFLAGS may be read as they are: not in a virtual-8086 task. */
  readFlags: 1,
  /** IF may be changed: at privilege level 0. */
  interruptFlag: 2,
} as const;

/** Bits of the state's `shadow`: what keeps interrupts away from the instruction at `shadowRip`. */
export const SHADOW = { sti: 1, 'mov-ss': 2 } as const;

const SEGMENTS = 6n;

interface QuickOperation {
  /** Leaves on the stack whether it may be done here; `a`: the operand's variable. */
  may(code: Code, a: number | undefined): void;
  /** Leaves its result on the stack, 64 bits. */
  make(code: Code, a: number | undefined, statusFlags: number): void;
}

function mayByPrivilege(code: Code, bits: number): Code {
  return code.get(STATE_LOCAL).load(32, offsetOf('privileges')).i32(bits).op(I32.and);
}

const otherFlags = (code: Code): Code => code.get(STATE_LOCAL).load(64, offsetOf('otherFlags'));

/** Whether nobody waits for the end of the instruction behind, or of this one. */
function nobodyWaits(code: Code): Code {
  code.get(STATE_LOCAL).load(32, offsetOf('pending'));
  return code.get(STATE_LOCAL).load(32, offsetOf('interruptsWait')).op(I32.or, I32.eqz);
}

export const QUICK_OPERATIONS: Partial<Record<SystemOperation, QuickOperation>> = {
  clearInterruptFlag: {
    may: (code) => mayByPrivilege(code, PRIVILEGE.interruptFlag),
    make(code) {
      code.get(STATE_LOCAL);
      otherFlags(code).i64(~RFLAGS.IF).op(I64.and).store(64, offsetOf('otherFlags'));
      code.i64(0n);
    },
  },
  setInterruptFlag: {
    may(code) {
      mayByPrivilege(code, PRIVILEGE.interruptFlag).i32(0).op(I32.ne);
      nobodyWaits(code).op(I32.and);
    },
    make(code) {
      otherFlags(code).i64(RFLAGS.IF).op(I64.and, I64.eqz);
      code.if(() => {
        code.get(STATE_LOCAL);
        otherFlags(code).i64(RFLAGS.IF).op(I64.or).store(64, offsetOf('otherFlags'));
        code.get(STATE_LOCAL).i32(SHADOW.sti).store(32, offsetOf('shadow'));
        code.get(STATE_LOCAL);
        pushNextRip(code);
        code.store(64, offsetOf('shadowRip'));
      });
      code.i64(0n);
    },
  },
  readFlags: {
    may: (code) => mayByPrivilege(code, PRIVILEGE.readFlags),
    make(code, _, statusFlags) {
      code.get(STATE_LOCAL).call(statusFlags).op(CONVERT.i64ExtendI32U);
      otherFlags(code)
        .i64(~(RFLAGS.VM | RFLAGS.RF))
        .op(I64.and, I64.or);
    },
  },
  readSelector: {
    may: (code, a) => code.get(a!).i64(SEGMENTS).op(I64.ltU),
    make(code, a) {
      code.get(STATE_LOCAL).get(a!).op(CONVERT.i32WrapI64).i32(2).op(I32.mul, I32.add);
      code.load(16, offsetOf('selectors')).op(CONVERT.i64ExtendI32U);
    },
  },
};
