/**
 * ioctl(2). KVM_RUN goes through here, so there is one function for each kind of argument, each with nothing between
 * it and koffi but a check of the result.
 *
 * The `try` forms return -errno instead of throwing: EINTR and EAGAIN are ordinary ends of KVM_RUN. None of them
 * repeats a call that a signal interrupted, since most signals here are sent to interrupt one.
 *
 * Requests are unsigned 32-bit numbers as _IOC() makes them (include/uapi/asm-generic/ioctl.h).
 */
import { HostError } from './host-error.ts';
import { bind, errno, type Pointer } from './libc.ts';

type ValueIoctl = (fd: number, request: number, value: number) => number;
type PointerIoctl = (fd: number, request: number, argument: Pointer) => number;

let valueIoctl: ValueIoctl | undefined;
let pointerIoctl: PointerIoctl | undefined;

/** An ioctl whose argument is a number or an address. Returns its result, or -errno. */
export function tryIoctlValue(fd: number, request: number, value: number): number {
  valueIoctl ??= bind<ValueIoctl>('int ioctl(int, unsigned long, intptr_t)');
  const result = valueIoctl(fd, request, value);
  return result === -1 ? -errno() : result;
}

/** An ioctl whose argument is a structure. Returns its result, or -errno. */
export function tryIoctlPointer(fd: number, request: number, argument: Pointer): number {
  pointerIoctl ??= bind<PointerIoctl>('int ioctl(int, unsigned long, void *)');
  const result = pointerIoctl(fd, request, argument);
  return result === -1 ? -errno() : result;
}

/** Like tryIoctlValue; throws a HostError that says `name`, the request's name in the C headers. */
export function ioctlValue(fd: number, request: number, value: number, name?: string): number {
  const result = tryIoctlValue(fd, request, value);
  if (result < 0) throw new HostError('ioctl', -result, { subject: name ?? `0x${request.toString(16)}` });
  return result;
}

/** Like tryIoctlPointer; throws a HostError that says `name`, the request's name in the C headers. */
export function ioctlPointer(fd: number, request: number, argument: Pointer, name?: string): number {
  const result = tryIoctlPointer(fd, request, argument);
  if (result < 0) throw new HostError('ioctl', -result, { subject: name ?? `0x${request.toString(16)}` });
  return result;
}

/** Either kind, for code that is not hot. */
export function ioctl(fd: number, request: number, argument: number | Pointer = 0, name?: string): number {
  return typeof argument === 'number'
    ? ioctlValue(fd, request, argument, name)
    : ioctlPointer(fd, request, argument, name);
}
