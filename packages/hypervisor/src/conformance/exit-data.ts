/** Reading, answering and describing exits. */
import type { IoExit, MmioExit, VcpuExit } from '../exits.ts';
import { DONE_PORT, REPORT_PORT } from './guest-layout.ts';

/** The bytes of the items or of the access, as long as they are. */
export function exitBytes(exit: IoExit | MmioExit): Uint8Array {
  const { buffer, byteOffset } = exit.data;
  const lengthBytes = exit.kind === 'io' ? exit.sizeBytes * exit.count : exit.lengthBytes;
  return new Uint8Array(buffer, byteOffset, lengthBytes);
}

/** The data as one little-endian number. */
export function exitValue(exit: IoExit | MmioExit): bigint {
  return exitBytes(exit).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** Answers with the low bytes of a little-endian number. */
export function answer(exit: IoExit | MmioExit, value: number | bigint): void {
  const bytes = exitBytes(exit);
  for (const i of bytes.keys()) bytes[i] = Number((BigInt(value) >> BigInt(8 * i)) & 0xffn);
}

/** An exit that stays as it is when the vCPU runs on. */
export function copyExit(exit: VcpuExit): VcpuExit {
  if (exit.kind !== 'io' && exit.kind !== 'mmio') return exit;
  return { ...exit, data: new DataView(exitBytes(exit).slice().buffer) };
}

export function isReport(exit: VcpuExit): exit is IoExit {
  return exit.kind === 'io' && exit.direction === 'out' && exit.port === REPORT_PORT;
}

export function isDone(exit: VcpuExit): boolean {
  return exit.kind === 'io' && exit.direction === 'out' && exit.port === DONE_PORT;
}

export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** The first bytes, most significant last. */
function shownBytes(exit: IoExit | MmioExit): string {
  return Array.from(exitBytes(exit).subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

export function describeExit(exit: VcpuExit): string {
  switch (exit.kind) {
    case 'io': {
      const what = `${exit.direction} ${exit.count} × ${exit.sizeBytes} bytes`;
      return `io ${what} on port ${hex(exit.port)}: ${shownBytes(exit)}`;
    }
    case 'mmio':
      return `mmio ${exit.direction} of ${exit.lengthBytes} bytes at ${hex(exit.gpa)}: ${shownBytes(exit)}`;
    case 'debug':
      return `debug exception ${exit.exception} at ${hex(exit.pc)}, dr6 ${hex(exit.dr6)}, dr7 ${hex(exit.dr7)}`;
    case 'internal-error': {
      const code = Buffer.from(exit.instructionBytes).toString('hex');
      return `internal-error ${exit.suberror} (${exit.detail.map(hex).join(' ')}) ${code}`;
    }
    case 'fail-entry':
      return `fail-entry ${hex(exit.hardwareReason)}`;
    case 'system-event':
      return `system-event ${exit.event} ${exit.code}`;
    case 'unknown':
      return `unknown ${exit.reason}`;
    default:
      return exit.kind;
  }
}
