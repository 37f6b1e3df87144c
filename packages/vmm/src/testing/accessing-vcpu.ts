/** A vCPU's thread for tests of the mailbox: makes its accesses as fast as it can or with pauses, and checks the answers. */
import { parentPort, workerData } from 'node:worker_threads';
import { VcpuMailbox } from '../vcpu/mailbox.ts';
import { checksum, deviceAccess, deviceAnswer } from './device-accesses.ts';

export interface AccessingVcpuData {
  readonly buffer: SharedArrayBuffer;
  readonly id: number;
  readonly count: number;
  /** Sleep for some 100 µs before every so many accesses, so that the host sleeps too; 0 for never. */
  readonly pauseEvery: number;
  /** Go on until the first word of this is not 0, whatever the count. */
  readonly stop?: SharedArrayBuffer;
}

export interface AccessingVcpuResult {
  readonly made: number;
  /** The first answer that was wrong, in words. */
  readonly wrong: string | undefined;
  /** Over all writes, as `checksum` has it. */
  readonly written: number;
}

const { buffer, id, count, pauseEvery, stop } = workerData as AccessingVcpuData;
const mailbox = new VcpuMailbox(buffer, id);
const never = new Int32Array(new SharedArrayBuffer(4));
const stopWord = stop ? new Int32Array(stop) : undefined;

let wrong: string | undefined;
let written = 0;
let made = 0;
while (stopWord ? Atomics.load(stopWord, 0) === 0 : made < count) {
  if (pauseEvery > 0 && made % pauseEvery === 0) Atomics.wait(never, 0, 0, 0.1);
  const access = deviceAccess(id, made++);
  const { isWrite, isMmio, address, sizeBytes, value } = access;
  const answer = mailbox.access(isWrite, isMmio, address, sizeBytes, isWrite ? value : 0);
  written = checksum(written, access);
  const expected = deviceAnswer(access);
  if (!isWrite && answer !== expected)
    wrong ??= `access ${made} at 0x${address.toString(16)}+${sizeBytes}: ${answer}, not ${expected}`;
}
parentPort!.postMessage({ made, wrong, written } satisfies AccessingVcpuResult);
