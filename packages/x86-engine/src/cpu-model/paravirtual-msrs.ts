/**
 * KVM's MSRs by which a guest says where it wants its clocks (Linux, "KVM-specific MSRs"), under their present numbers and
 * the first ones, which collide with Intel's.
 */
import { type IsValid, type Msr, stored } from './msr.ts';
import * as index from './msr-index.ts';

interface ClockHost {
  systemTimeMoved(gpa: bigint | undefined): void;
  wallClockAsked(gpa: bigint): void;
}

const SYSTEM_TIME_ENABLED = 1n;

export function paravirtualClockMsrs(host: ClockHost, physicalAddressBits: number): [number, Msr][] {
  const isAddress = alignedBelow(1n << BigInt(physicalAddressBits));
  const systemTime = systemTimeMsr(host, (value) => isAddress(value & ~SYSTEM_TIME_ENABLED));
  const wallClock = wallClockMsr(host, isAddress);
  return [
    [index.MSR_KVM_SYSTEM_TIME, systemTime],
    [index.MSR_KVM_SYSTEM_TIME_NEW, systemTime],
    [index.MSR_KVM_WALL_CLOCK, wallClock],
    [index.MSR_KVM_WALL_CLOCK_NEW, wallClock],
  ];
}

/** Both structures are to be aligned to 4 bytes. */
function alignedBelow(end: bigint): IsValid {
  return (gpa) => gpa < end && (gpa & 3n) === 0n;
}

/** Saved or written, it says where the structure is from now on. */
function systemTimeMsr(host: ClockHost, isValid: IsValid): Msr {
  const msr = stored(0n, isValid);
  const write = (value: bigint): boolean => {
    if (!msr.write(value)) return false;
    const enabled = (value & SYSTEM_TIME_ENABLED) !== 0n;
    host.systemTimeMoved(enabled ? value & ~SYSTEM_TIME_ENABLED : undefined);
    return true;
  };
  return { ...msr, write, restore: write };
}

/** A write asks for the structure; a saved value only says where it was asked for. */
function wallClockMsr(host: ClockHost, isValid: IsValid): Msr {
  const msr = stored(0n, isValid);
  return {
    ...msr,
    write(value) {
      if (!msr.write(value)) return false;
      host.wallClockAsked(value);
      return true;
    },
  };
}
