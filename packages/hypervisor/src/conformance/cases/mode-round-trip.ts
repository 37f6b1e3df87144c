/** Every mode in one journey, each taking part in one sum (Intel SDM Vol. 3A §9.8.5 "Initializing IA-32e Mode", §9.8.5.4 "Switching Out of IA-32e Mode Operation", §9.9.2 "Switching Back to Real-Address Mode"). */
import assert from 'node:assert/strict';
import {
  type Assembler,
  addressOf,
  at,
  ax,
  cr0,
  cr3,
  cr4,
  ds,
  eax,
  ebx,
  ecx,
  es,
  r9,
  rbx,
  ss,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, reportEax } from '../guest-code.ts';
import { GDT, PAGE_DIRECTORIES, PML4, SELECTORS, SPARE } from '../guest-layout.ts';

const EFER = 0xc0000080;
const EFER_LME = 0x100;
const EFER_LMA = 0x400;
const CR0_PE = 1;
const CR0_PG = 0x80000000;
const CR4_PSE = 1 << 4;
const CR4_PAE = 1 << 5;
const PAE_POINTERS = SPARE;
const DIRECTORY_32 = SPARE + 0x1000;
const REAL_MODE_VECTOR = 0x50;
const FACTOR = 31;

/** EBX ← EBX × 31 + tag, reported. */
function step(a: Assembler, tag: number): void {
  a.imul(ebx, ebx, FACTOR);
  a.add(ebx, tag);
  a.mov(eax, ebx);
  reportEax(a);
}

function change(a: Assembler, register: typeof cr0, { set = 0, clear = 0 }): void {
  a.mov(eax, register);
  if (clear !== 0) a.and(eax, ~clear);
  if (set !== 0) a.or(eax, set);
  a.mov(register, eax);
}

function loadCr3(a: Assembler, address: number): void {
  a.mov(eax, address);
  a.mov(cr3, eax);
}

function changeLme(a: Assembler, bits: { set?: number; clear?: number }): void {
  a.mov(ecx, EFER);
  a.rdmsr();
  if (bits.clear) a.and(eax, ~bits.clear);
  if (bits.set) a.or(eax, bits.set);
  a.wrmsr();
}

function loadData(a: Assembler, selector: number): void {
  a.mov(ax, selector);
  for (const register of [ds, es, ss]) a.mov(register, ax);
}

/** Real, protected, 32-bit paging, PAE paging, compatibility and 64-bit mode. */
function upwards(a: Assembler): void {
  a.mov(ebx, 1);
  step(a, 1);
  a.lgdt(at('gdt'));
  change(a, cr0, { set: CR0_PE });
  a.jmpFar(SELECTORS.code32, addressOf('protected'), 32);
  a.bits(32);
  a.label('protected');
  loadData(a, SELECTORS.data);
  step(a, 2);
  change(a, cr4, { set: CR4_PSE });
  loadCr3(a, DIRECTORY_32);
  change(a, cr0, { set: CR0_PG });
  step(a, 3);
  change(a, cr0, { clear: CR0_PG });
  change(a, cr4, { set: CR4_PAE, clear: CR4_PSE });
  loadCr3(a, PAE_POINTERS);
  change(a, cr0, { set: CR0_PG });
  step(a, 4);
  change(a, cr0, { clear: CR0_PG });
  loadCr3(a, PML4);
  changeLme(a, { set: EFER_LME });
  change(a, cr0, { set: CR0_PG });
  step(a, 5); // compatibility mode
  a.jmpFar(SELECTORS.code64, addressOf('long'));
  a.bits(64);
  a.label('long');
  a.mov(r9, rbx);
  step(a, 6);
}

/** Compatibility, protected and real mode. */
function downwards(a: Assembler): void {
  a.farReturnTo(SELECTORS.code32, addressOf('compatible'));
  a.bits(32);
  a.label('compatible');
  step(a, 7);
  change(a, cr0, { clear: CR0_PG });
  a.mov(ecx, EFER);
  a.rdmsr();
  reportEax(a); // LMA goes, LME stays
  changeLme(a, { clear: EFER_LME });
  change(a, cr4, { clear: CR4_PAE });
  step(a, 8);
  a.jmpFar(SELECTORS.code16, addressOf('narrow'));
  a.bits(16);
  a.label('narrow');
  loadData(a, SELECTORS.data16);
  step(a, 9);
  change(a, cr0, { clear: CR0_PE });
  a.jmpFar(0, addressOf('real'));
  a.label('real');
  loadData(a, 0);
  step(a, 10);
  a.int(REAL_MODE_VECTOR);
  done(a);
  a.label('handler');
  step(a, 11);
  a.iret();
}

const roundTrip: ConformanceCase = {
  name: 'a value goes through every mode up to 64-bit mode and back down to real mode',
  run(t) {
    const machine = t.machine({
      mode: 'real',
      code(a) {
        upwards(a);
        downwards(a);
        a.label('gdt');
        a.dw(0x6f);
        a.dd(GDT);
      },
      vectors: { [REAL_MODE_VECTOR]: 'handler' },
    });
    const { memory } = machine;
    memory.writeU32(DIRECTORY_32, 0x87); // 4 MiB
    for (let gib = 0; gib < 4; gib++)
      memory.writeU64(PAE_POINTERS + gib * 8, BigInt((PAGE_DIRECTORIES + gib * 0x1000) | 1));
    const reports = machine.finish();
    const [efer] = reports.splice(7, 1);
    assert.equal(efer! & (EFER_LME | EFER_LMA), EFER_LME);
    let value = 1;
    const expected = Array.from({ length: 11 }, (_, i) => {
      value = (Math.imul(value, FACTOR) + i + 1) >>> 0;
      return value;
    });
    assert.deepEqual(reports, expected);
    const { cr0: control, efer: last, cr4: features } = machine.cpu.getSpecialRegisters();
    assert.deepEqual([control & 0x80000001n, last & 0x500n, features & 0x30n], [0n, 0n, 0n]);
  },
};

export const modeRoundTripCases: readonly ConformanceCase[] = [roundTrip];
