/** KVM's ioctls, whose refusals name the request. The form for KVM_RUN, which allocates nothing, is linux's own. */
import { HostError, type Pointer, tryIoctlPointer, tryIoctlValue } from '@vireo/linux';
import * as abi from './abi.ts';

/** An ioctl whose argument is a number. @throws HostError */
export function kvmIoctl(fd: number, request: number, value: number): number {
  const result = tryIoctlValue(fd, request, value);
  return result >= 0 ? result : refuse(request, result);
}

/** An ioctl whose argument is a structure. @throws HostError */
export function kvmIoctlPointer(fd: number, request: number, argument: Pointer): number {
  const result = tryIoctlPointer(fd, request, argument);
  return result >= 0 ? result : refuse(request, result);
}

/** Throws what a `try` form of ioctl returned: a negative error number. */
export function refuse(request: number, result: number): never {
  const named = Object.entries(abi).find(([, number]) => number === request);
  throw new HostError('ioctl', -result, { subject: named?.[0] ?? `0x${request.toString(16)}` });
}
