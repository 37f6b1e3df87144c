/** Accesses that a test's vCPU threads make, and the answers that a device which knows them gives. */
import type { DeviceAccess } from '../vcpu/mailbox.ts';

/** Ports, MMIO below and above 4 GiB, and every border at which a word of 32 bits could go wrong. */
const ADDRESSES = [
  0,
  0x3f8,
  0xcf8,
  0x7fff_ffff,
  0x8000_0000,
  0xfec0_0010,
  0xffff_ffff,
  2 ** 32,
  2 ** 32 + 0x8000_0000,
  2 ** 33 - 1,
  0x40_8000_0000,
  2 ** 47 + 0x1234_5678,
  2 ** 52 - 4,
];

/** The accesses of one vCPU, the same in every thread that asks. */
export function deviceAccess(vcpu: number, index: number): DeviceAccess {
  const bits = mix(vcpu * 0x10000 + 1, index);
  const sizeBytes = 1 + (bits & 3);
  return {
    isWrite: (bits & 4) !== 0,
    isMmio: (bits & 8) !== 0,
    address: ADDRESSES[(bits >>> 4) % ADDRESSES.length]!,
    sizeBytes,
    value: truncate(mix(bits, index + 1), sizeBytes),
  };
}

/** What the device answers to a read: something that depends on all of the access, and may have its top bit set. */
export function deviceAnswer({ isMmio, address, sizeBytes }: DeviceAccess): number {
  const high = Math.floor(address / 2 ** 32);
  return truncate(mix(mix(address | 0, high) ^ (isMmio ? 1 : 0), sizeBytes), sizeBytes);
}

/** Adds an access to a checksum of the writes seen so far. */
export function checksum(sum: number, { isWrite, isMmio, address, sizeBytes, value }: DeviceAccess): number {
  if (!isWrite) return sum;
  return mix(sum ^ value ^ (isMmio ? 1 : 0), mix(address | 0, sizeBytes + Math.floor(address / 2 ** 32)));
}

function truncate(value: number, sizeBytes: number): number {
  return sizeBytes === 4 ? value >>> 0 : (value >>> 0) % 2 ** (8 * sizeBytes);
}

/** A hash of two words (MurmurHash3's finalizer). */
function mix(a: number, b: number): number {
  let hash = Math.imul(a ^ (b + 0x9e3779b9), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}
