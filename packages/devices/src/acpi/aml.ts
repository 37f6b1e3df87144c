/**
 * An AML encoder: one function a construct of ASL, each giving the construct's bytes (ACPI 6.5 §20.2 "AML Grammar
 * Definition"). Only what the machine's DSDT needs.
 */
import * as op from '@vireo/spec/acpi-tables';
import { ascii, type Bytes, joined, u16, u32, u64 } from './bytes.ts';

/** Bytes of one or more terms. */
export type Aml = Bytes;

const NAME_SEGMENT_LENGTH = 4;

/** A path: `\_SB.PCI0`, `_CRS`, `^PARE` (§20.2.2 "Name Objects Encoding"). */
export function namePath(path: string): Aml {
  const [, prefix, rest] = /^(\\|\^*)(.*)$/.exec(path)!;
  const segments = rest === '' ? [] : rest!.split('.').map(nameSegment);
  const start = ascii(prefix!);
  switch (segments.length) {
    case 0:
      return joined(start, [0]); // NullName
    case 1:
      return joined(start, segments[0]!);
    case 2:
      return joined(start, [op.AML_DUAL_NAME_PREFIX], ...segments);
    default:
      return joined(start, [op.AML_MULTI_NAME_PREFIX, segments.length], ...segments);
  }
}

function nameSegment(name: string): Bytes {
  if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(name)) throw new RangeError(`${name} is not an ACPI name`);
  return ascii(name.padEnd(NAME_SEGMENT_LENGTH, '_'));
}

/** An opcode and all that belongs to it, with its length between them. */
function packaged(opcode: Bytes, ...parts: Bytes[]): Aml {
  const body = joined(...parts);
  return joined(opcode, packageLength(body.length), body);
}

/** The length of a package, itself included (§20.2.4 "Package Length Encoding"). */
function packageLength(bodyLength: number): Bytes {
  if (bodyLength + 1 < 0x40) return [bodyLength + 1];
  for (let extraBytes = 1; extraBytes <= 3; extraBytes++) {
    const length = bodyLength + 1 + extraBytes;
    if (length >= 1 << (4 + 8 * extraBytes)) continue;
    const encoded = [(extraBytes << 6) | (length & 0x0f)];
    for (let i = 0; i < extraBytes; i++) encoded.push((length >>> (4 + 8 * i)) & 0xff);
    return encoded;
  }
  throw new RangeError('an AML package is longer than 2^28 bytes');
}

/** The shortest encoding (§20.2.3 "Data Objects Encoding"). */
export function integer(value: number): Aml {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not an AML integer`);
  if (value === 0) return [op.AML_ZERO_OP];
  if (value === 1) return [op.AML_ONE_OP];
  if (value <= 0xff) return [op.AML_BYTE_PREFIX, value];
  if (value <= 0xffff) return joined([op.AML_WORD_PREFIX], u16(value));
  if (value <= 0xffff_ffff) return joined([op.AML_DWORD_PREFIX], u32(value));
  return joined([op.AML_QWORD_PREFIX], u64(value));
}

export function string(text: string): Aml {
  return joined([op.AML_STRING_PREFIX], ascii(text), [0]);
}

export function buffer(bytes: Bytes): Aml {
  return packaged([op.AML_BUFFER_OP], integer(bytes.length), bytes);
}

/** Package (…) */
export function packageOf(...elements: Aml[]): Aml {
  if (elements.length > 255) throw new RangeError('an AML package has at most 255 elements');
  return packaged([op.AML_PACKAGE_OP], [elements.length], ...elements);
}

/** EISAID ("PNP0A08"): three letters and four hexadecimal digits in 32 bits (§19.6.36 "EISAID"). */
export function eisaId(id: string): Aml {
  const match = /^([A-Z]{3})([0-9A-F]{4})$/.exec(id);
  if (match === null) throw new RangeError(`${id} is not an EISA id`);
  const [a, b, c] = ascii(match[1]!).map((letter) => letter - 0x40) as [number, number, number];
  const vendor = (a << 10) | (b << 5) | c;
  const product = Number.parseInt(match[2]!, 16);
  // Big-endian in memory.
  return [op.AML_DWORD_PREFIX, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff];
}

/** ToUUID ("…"): the first three fields are little-endian (§19.6.142 "ToUUID"). */
export function uuid(text: string): Aml {
  const digits = text.replaceAll('-', '');
  if (!/^[0-9a-fA-F]{32}$/.test(digits)) throw new RangeError(`${text} is not a UUID`);
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return buffer(order.map((index) => Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16)));
}

/** Name (path, object) */
export function name(path: string, object: Aml): Aml {
  return joined([op.AML_NAME_OP], namePath(path), object);
}

/** Scope (path) {…} */
export function scope(path: string, ...terms: Aml[]): Aml {
  return packaged([op.AML_SCOPE_OP], namePath(path), ...terms);
}

/** Device (path) {…} */
export function device(path: string, ...terms: Aml[]): Aml {
  return packaged([op.AML_EXT_OP_PREFIX, op.AML_DEVICE_OP], namePath(path), ...terms);
}

/** Method (path, argumentCount, NotSerialized) {…} */
export function method(path: string, argumentCount: number, ...terms: Aml[]): Aml {
  return packaged([op.AML_METHOD_OP], namePath(path), [argumentCount & 7], ...terms);
}

export function local(index: number): Aml {
  return [op.AML_LOCAL0_OP + index];
}

export function argument(index: number): Aml {
  return [op.AML_ARG0_OP + index];
}

/** target = value */
export function store(value: Aml, target: Aml): Aml {
  return joined([op.AML_STORE_OP], value, target);
}

/** target = a & b */
export function and(a: Aml, b: Aml, target: Aml): Aml {
  return joined([op.AML_AND_OP], a, b, target);
}

/** target = a | b */
export function or(a: Aml, b: Aml, target: Aml): Aml {
  return joined([op.AML_OR_OP], a, b, target);
}

export function equal(a: Aml, b: Aml): Aml {
  return joined([op.AML_LEQUAL_OP], a, b);
}

export function notEqual(a: Aml, b: Aml): Aml {
  return joined([op.AML_LNOT_OP], equal(a, b));
}

/** CreateDWordField (source, byteIndex, path) */
export function createDwordField(source: Aml, byteIndex: number, path: string): Aml {
  return joined([op.AML_CREATE_DWORD_FIELD_OP], source, integer(byteIndex), namePath(path));
}

/** If (predicate) {…} */
export function ifThen(predicate: Aml, ...terms: Aml[]): Aml {
  return packaged([op.AML_IF_OP], predicate, ...terms);
}

/** Else {…}: right after `ifThen`. */
export function elseThen(...terms: Aml[]): Aml {
  return packaged([op.AML_ELSE_OP], ...terms);
}

export function returnValue(value: Aml): Aml {
  return joined([op.AML_RETURN_OP], value);
}
