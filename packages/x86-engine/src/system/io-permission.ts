/** Who may use which port (Intel SDM Vol. 1 §19.5 "Protected-Mode I/O"). */
import { generalProtection } from './guest-fault.ts';
import { ioPrivilegeLevel, operatingMode, type Processor, privilegeLevel } from './processor.ts';

const TSS_32_BIT = 8;
/** In the TSS of 32 and 64 bits: where the I/O permission bit map begins. */
const MAP_BASE = 0x66;

/** @throws GuestFault #GP(0) when neither IOPL nor the TSS's I/O permission bit map allows all of the ports */
export function requirePort(processor: Processor, port: number, lengthBytes: 1 | 2 | 4): void {
  const isFree = privilegeLevel(processor) <= ioPrivilegeLevel(processor);
  if (isFree && operatingMode(processor) !== 'virtual-8086') return;
  const { special, memory } = processor;
  const { tr } = special;
  const at = (offset: number) => memory.read(BigInt.asUintN(64, tr.base + BigInt(offset)), 2, 'system');
  if ((tr.type & TSS_32_BIT) === 0 || tr.limit < MAP_BASE + 1) throw generalProtection();
  const offset = Number(at(MAP_BASE)) + (port >> 3);
  // Two bytes are always read, since the ports' bits may lie in both: the map has one more at its end.
  if (offset + 1 > tr.limit) throw generalProtection();
  const denied = (Number(at(offset)) >> (port & 7)) & ((1 << lengthBytes) - 1);
  if (denied !== 0) throw generalProtection();
}
