/** A thread for `kick.test.ts` that sleeps in a system call, as a vCPU's does in KVM_RUN, until a kick. */
import { parentPort, workerData } from 'node:worker_threads';
import { futexWait, gettid, Mapping } from '@vireo/linux';
import { CONTROL_THREAD_ID } from '../vcpu-seed.ts';

const control = new Int32Array(workerData as SharedArrayBuffer);
const word = new Int32Array(Mapping.map({ lengthBytes: 4096 }).buffer, 0, 1);
Atomics.store(control, CONTROL_THREAD_ID, gettid());
parentPort!.postMessage('sleeping');
parentPort!.postMessage(futexWait(word, 0, 20_000));
