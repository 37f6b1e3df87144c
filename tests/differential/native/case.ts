/** What is run on the processor, and what came of it. */
import type { CodeMode, MachineState } from './machine-state.ts';

export interface NativeCase {
  /** Put where RIP is, which must be within the code page; breakpoints are before and behind it. */
  readonly code: Uint8Array;
  readonly state: MachineState;
  /** Default: 64. 32 is compatibility mode with flat segments. */
  readonly mode?: CodeMode;
  /** How far: one instruction, which is all that `code` holds, or to the end of `code`. Default: one instruction. */
  readonly extent?: 'instruction' | 'block';
  /** All data is zero but for this. */
  readonly memory?: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  readonly readBack?: readonly { readonly address: number; readonly lengthBytes: number }[];
  readonly wantsFxsave?: boolean;
}

export type FaultKind = 'segv' | 'ill' | 'fpe' | 'bus' | 'trap' | 'system-call' | 'endless';

export interface NativeFault {
  readonly kind: FaultKind;
  /** What could not be accessed; for `ill` and `fpe`, where the instruction is. 0 if the kernel does not say. */
  readonly address: bigint;
  /** si_code. */
  readonly code: number;
}

export interface NativeResult {
  /** 32-bit code's registers are cut to 32 bits. */
  readonly state: MachineState;
  /** What ended the case other than its end. After `system-call` and `endless` the state means little. */
  readonly fault?: NativeFault;
  /** What `readBack` asked for. */
  readonly memory: readonly Uint8Array[];
}
