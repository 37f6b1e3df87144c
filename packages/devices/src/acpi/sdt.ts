/** The frame of a system description table: header and checksum (ACPI 6.5 §5.2.6 "System Description Table Header"). */
import { ascii, type Bytes, joined, padded, u32 } from './bytes.ts';

export const SDT_HEADER_LENGTH_BYTES = 36;
const CHECKSUM_OFFSET = 9;

export const OEM_ID = padded(ascii('VIREO'), 6);
const OEM_TABLE_ID = padded(ascii('VIREOPC'), 8);
const OEM_REVISION = 1;
const CREATOR_ID = ascii('VIRE');
const CREATOR_REVISION = 1;

export function systemDescriptionTable(signature: string, revision: number, body: Bytes): Uint8Array {
  const header = joined(
    ascii(signature),
    u32(SDT_HEADER_LENGTH_BYTES + body.length),
    [revision, 0], // checksum
    OEM_ID,
    OEM_TABLE_ID,
    u32(OEM_REVISION),
    CREATOR_ID,
    u32(CREATOR_REVISION),
  );
  const table = Uint8Array.from(joined(header, body));
  table[CHECKSUM_OFFSET] = checksum(table);
  return table;
}

/** The byte that makes the sum of all bytes 0, where its own place holds 0. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum += bytes[i]!;
  return -sum & 0xff;
}
