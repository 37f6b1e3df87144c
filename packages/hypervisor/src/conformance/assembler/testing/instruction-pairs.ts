/** Instructions of ours beside the same in GNU's Intel syntax: every family, over every kind of operand of a mode. */

import type { CodeBits, Memory, Register, RegisterOrMemory } from '../../assembler.ts';
import * as x86 from '../../assembler.ts';

import { type Pair, systemPairs } from './system-pairs.ts';

const { ah, al, ax, bl, bpl, bx, cl, cx, di, dil, eax, ebx, ecx, edi, es, esi, fs } = x86;
const { byte, gs, r12, r13, r8, r8b, r9d, r9w, rax, rbp, rbx, rdi, rsp, si, word } = x86;

export function instructionPairs(bits: CodeBits): Pair[] {
  return [...integerPairs(bits), ...systemPairs(bits)];
}

/** Registers and addresses of this mode, one of each kind of encoding. */
function operands(bits: CodeBits): { registers: Register[]; addresses: Memory[] } {
  const at = (where: Parameters<typeof x86.at>[0], displacement = 0) => x86.at(where, displacement);
  if (bits === 16) {
    const addresses = [at(0x1234), at(bx), at({ base: x86.bp, index: di }, 5), at(x86.bp), at(si, -300)];
    addresses.push(
      at(eax),
      at({ base: ebx, index: ecx, scale: 4 }, 0x1000),
      at({ base: di, segment: es }, 1),
    );
    return { registers: [al, ah, ax, di, eax, edi], addresses };
  }
  const addresses = [at(ebx), at(x86.ebp), at(x86.esp, 8), at({ base: esi, index: edi, scale: 8 }, -5)];
  addresses.push(at({ index: ecx, scale: 2 }, 0x100), at({ base: eax, segment: fs }, 0x1000));
  if (bits === 32)
    return { registers: [al, ah, ax, di, eax, edi], addresses: [...addresses, at(0xfee000f0), at(bx, 1)] };
  addresses.push(
    at(rbx),
    at(rbp),
    at(rsp),
    at(r12, 4),
    at(r13),
    at({ base: r13, index: r12, scale: 4 }),
    at(0x1000),
  );
  addresses.push(at({ base: rax, index: r8, scale: 2, segment: gs }, -129));
  return { registers: [al, dil, bpl, r8b, ax, r9w, eax, r9d, rax, r12, rdi], addresses };
}

function integerPairs(bits: CodeBits): Pair[] {
  const { registers, addresses } = operands(bits);
  const pairs: Pair[] = [];
  for (const [i, register] of registers.entries()) {
    const sized = addresses.map((address): Memory => ({ ...address, bits: register.bits }));
    const other = registers.findLast((r) => r.bits === register.bits && compatible(r, register)) ?? register;
    const address = sized[i % sized.length]!;
    for (const target of [other, ...sized.filter((m) => compatible(m, register))])
      pairs.push(...twoOperands(register, target));
    pairs.push(...oneOperand(register), ...(compatible(address, register) ? oneOperand(address) : []));
    if (register.bits !== 8) pairs.push(...wideOnly(register, sized));
  }
  pairs.push(...extensions(bits), ...strings(bits));
  return pairs;
}

function compatible(a: RegisterOrMemory, b: Register): boolean {
  const rexForbidden = b.rex === 'forbidden' || (a.kind === 'register' && a.rex === 'forbidden');
  const parts = a.kind === 'register' ? [a] : [a.base, a.index].filter((r) => r !== undefined);
  const rexNeeded = [b, ...parts].some((r) => r.rex === 'needed' || r.code > 7);
  return !(rexForbidden && rexNeeded);
}

function twoOperands(register: Register, target: RegisterOrMemory): Pair[] {
  const pairs: Pair[] = [];
  for (const name of ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp', 'mov'] as const) {
    pairs.push([`${name} ${show(target)}, ${show(register)}`, (a) => a[name](target, register)]);
    pairs.push([`${name} ${show(register)}, ${show(target)}`, (a) => a[name](register, target)]);
    for (const value of immediates(target.bits)) {
      pairs.push([`${name} ${show(target)}, ${value}`, (a) => a[name](target, value)]);
    }
  }
  for (const name of ['test', 'xchg', 'xadd', 'cmpxchg'] as const) {
    pairs.push([`${name} ${show(target)}, ${show(register)}`, (a) => a[name](target, register)]);
  }
  pairs.push([`test ${show(target)}, 3`, (a) => a.test(target, 3)]);
  return pairs;
}

function immediates(bits: number): number[] {
  return bits === 8
    ? [0, 0x7f, 0x80, 0xff, -1]
    : bits === 16
      ? [5, -3, 0x1234, 0xffff]
      : [5, -128, 0x12345678, -70000];
}

function oneOperand(operand: RegisterOrMemory): Pair[] {
  const pairs: Pair[] = [];
  for (const name of ['inc', 'dec', 'not', 'neg', 'mul', 'div', 'idiv', 'imul'] as const) {
    pairs.push([`${name} ${show(operand)}`, (a) => a[name](operand)]);
  }
  for (const name of ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sar'] as const) {
    pairs.push([`${name} ${show(operand)}, 7`, (a) => a[name](operand, 7)]);
    pairs.push([`${name} ${show(operand)}, cl`, (a) => a[name](operand, cl)]);
  }
  if (operand.bits === 8) pairs.push([`seta ${show(operand)}`, (a) => a.setcc('a', operand)]);
  return pairs;
}

function wideOnly(register: Register, sized: readonly Memory[]): Pair[] {
  const pairs: Pair[] = [];
  for (const source of [register, ...sized]) {
    for (const name of ['bt', 'bts', 'btr', 'btc'] as const) {
      pairs.push([`${name} ${show(source)}, 9`, (a) => a[name](source, 9)]);
      pairs.push([`${name} ${show(source)}, ${show(register)}`, (a) => a[name](source, register)]);
    }
    for (const name of ['bsf', 'bsr', 'imul'] as const) {
      pairs.push([`${name} ${show(register)}, ${show(source)}`, (a) => a[name](register, source)]);
    }
    pairs.push([`imul ${show(register)}, ${show(source)}, 1000`, (a) => a.imul(register, source, 1000)]);
    pairs.push([`cmovle ${show(register)}, ${show(source)}`, (a) => a.cmov('le', register, source)]);
    if (source.kind === 'memory') {
      pairs.push([`lea ${show(register)}, ${show({ ...source, bits: 0 })}`, (a) => a.lea(register, source)]);
    }
  }
  if (register.bits !== 16) pairs.push([`bswap ${register.name}`, (a) => a.bswap(register)]);
  return pairs;
}

function extensions(bits: CodeBits): Pair[] {
  const pairs: Pair[] = [];
  const base = bits === 16 ? bx : ebx;
  for (const name of ['movzx', 'movsx'] as const) {
    for (const source of [bl, byte(base), word(base), cx]) {
      pairs.push([`${name} eax, ${show(source)}`, (a) => a[name](eax, source)]);
    }
  }
  return pairs;
}

function strings(bits: CodeBits): Pair[] {
  const pairs: Pair[] = [];
  const sizes = [[8, 'b'], [16, 'w'], [32, 'd'], ...(bits === 64 ? [[64, 'q'] as const] : [])] as const;
  for (const [size, suffix] of sizes) {
    for (const name of ['movs', 'cmps', 'stos', 'lods', 'scas'] as const) {
      pairs.push([
        `rep ${name}${suffix}`.replace('rep scas', 'repe scas').replace('rep cmps', 'repe cmps'),
        (a) => {
          a.rep();
          a[name](size);
        },
      ]);
    }
    if (size === 64) continue;
    pairs.push([
      `rep ins${suffix}`,
      (a) => {
        a.rep();
        a.ins(size);
      },
    ]);
    pairs.push([
      `rep outs${suffix}`,
      (a) => {
        a.rep();
        a.outs(size);
      },
    ]);
  }
  return pairs;
}

const WIDTHS = { 0: '', 8: 'byte ptr ', 16: 'word ptr ', 32: 'dword ptr ', 64: 'qword ptr ' };

/** An operand in GNU's Intel syntax. */
function show(operand: RegisterOrMemory): string {
  if (operand.kind === 'register') return operand.name;
  const { base, index, scale = 1, displacement = 0, segment } = operand;
  const terms = [base?.name, index && `${index.name}*${scale}`].filter((term) => term !== undefined);
  const prefix = segment ? `${segment.name}:` : terms.length === 0 ? 'ds:' : '';
  return `${WIDTHS[operand.bits]}${prefix}[${[...terms, displacement].join('+').replaceAll('+-', '-')}]`.replace(
    /(?<=\[[bs][xpi]\+[ds]i)\*1/,
    '',
  );
}
