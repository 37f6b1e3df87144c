/**
 * Getting a vCPU's thread out of KVM_RUN from another thread: the `immediate_exit` flag in the run page and a signal
 * to the thread (Linux KVM API §5, `immediate_exit`).
 *
 * The flag comes first: whether the signal arrives before, during or after KVM_RUN's entry, either it interrupts
 * the ioctl or the flag makes the next one return. A signal that arrives too late does nothing.
 */
import { installWakeHandler, SIGNAL_KICK, tgkill } from '@vireo/linux';

/** Index of the thread id in the control words that a vCPU's handle and its thread share. */
export const CONTROL_THREAD_ID = 0;
export const CONTROL_WORDS = 4;

let installed = false;

/** Makes the kick signal harmless in this process; before any vCPU runs. */
export function prepareKicks(): void {
  if (installed) return;
  installWakeHandler(SIGNAL_KICK);
  installed = true;
}

/** Sends the signal to the thread that runs the vCPU, if one does. */
export function signalVcpuThread(control: Int32Array): void {
  const threadId = Atomics.load(control, CONTROL_THREAD_ID);
  if (threadId !== 0) tgkill(threadId, SIGNAL_KICK);
}
