/** Changes of mode and of privilege that guests make themselves (Intel SDM Vol. 3A §9.8.5 "Initializing IA-32e Mode", §9.9 "Mode Switching"). */
import assert from 'node:assert/strict';
import {
  type Assembler,
  addressOf,
  at,
  ax,
  cr0,
  cr3,
  cr4,
  cs,
  ds,
  dword,
  eax,
  ebx,
  ecx,
  edx,
  es,
  esp,
  fs,
  gs,
  qword,
  r11,
  rax,
  rcx,
  ss,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, reportEax, reportWide, wideReports } from '../guest-code.ts';
import { DATA, GDT, PML4, SELECTORS } from '../guest-layout.ts';

const EFER = 0xc0000080;
const EFER_SCE = 1;
const EFER_LME = 1 << 8;
const STAR = 0xc0000081;
const LSTAR = 0xc0000082;
const SFMASK = 0xc0000084;
const CR0_PE = 1;
const CR0_PG = 0x80000000;
const CR4_PAE = 1 << 5;

function setFlag(a: Assembler, register: typeof cr0, bits: number): void {
  a.mov(eax, register);
  a.or(eax, bits);
  a.mov(register, eax);
}

function loadDataSegments(a: Assembler, selector: number): void {
  a.mov(ax, selector);
  for (const register of [ds, es, ss]) a.mov(register, ax);
}

function gdtPointer(a: Assembler): void {
  a.label('gdt');
  a.dw(0x6f);
  a.dd(GDT);
}

/** From protected mode; the 64-bit code starts at the label 'long'. */
function enterLongMode(a: Assembler): void {
  setFlag(a, cr4, CR4_PAE);
  a.mov(eax, PML4);
  a.mov(cr3, eax);
  a.mov(ecx, EFER);
  a.rdmsr();
  a.or(eax, EFER_LME);
  a.wrmsr();
  setFlag(a, cr0, CR0_PG);
  a.jmpFar(SELECTORS.code64, addressOf('long'));
}

const realToLong: ConformanceCase = {
  name: 'real to protected to 64-bit mode, by CR0, CR4, EFER and far jumps',
  run(t) {
    const machine = t.machine({
      mode: 'real',
      code(a) {
        report(a, 16);
        a.cli();
        a.lgdt(at('gdt'));
        setFlag(a, cr0, CR0_PE);
        a.jmpFar(SELECTORS.code32, addressOf('protected'), 32);
        a.bits(32);
        a.label('protected');
        loadDataSegments(a, SELECTORS.data);
        report(a, 32);
        enterLongMode(a);
        a.bits(64);
        a.label('long');
        a.mov(rax, 0x1234_5678_9abc_def0n);
        reportWide(a, rax);
        a.mov(ecx, EFER);
        a.rdmsr();
        reportEax(a); // LMA and LME
        done(a);
        gdtPointer(a);
      },
    });
    const reports = machine.finish();
    assert.deepEqual(reports.slice(0, 2), [16, 32]);
    assert.deepEqual(wideReports(reports.slice(2, 4)), [0x1234_5678_9abc_def0n]);
    assert.equal(reports[4]! & 0x500, 0x500);
    const { cs: code, cr0: control } = machine.cpu.getSpecialRegisters();
    assert.equal(code.long, true);
    assert.equal(code.selector, SELECTORS.code64);
    assert.equal(control & 0x80000001n, 0x80000001n);
  },
};

const compatibility: ConformanceCase = {
  name: '64-bit code to a 32-bit segment and back',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rcx, 0x1_0000_0001n);
        a.farReturnTo(SELECTORS.code32, addressOf('compatible'));
        a.bits(32);
        a.label('compatible');
        a.inc(ecx); // clears the upper half
        a.mov(eax, cs);
        reportEax(a);
        a.push(0x1234);
        a.mov(eax, dword(esp));
        a.pop(ebx);
        reportEax(a);
        a.jmpFar(SELECTORS.code64, addressOf('back'));
        a.bits(64);
        a.label('back');
        reportWide(a, rcx);
        done(a);
      },
    });
    const reports = machine.finish();
    assert.deepEqual(reports.slice(0, 2), [SELECTORS.code32, 0x1234]);
    assert.deepEqual(wideReports(reports.slice(2)), [2n]);
  },
};

const protectedToReal: ConformanceCase = {
  name: 'protected to real mode and its INT',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        a.jmpFar(SELECTORS.code16, addressOf('narrow'));
        a.bits(16);
        a.label('narrow');
        loadDataSegments(a, SELECTORS.data16);
        a.mov(eax, cr0);
        a.and(eax, ~CR0_PE);
        a.mov(cr0, eax);
        a.jmpFar(0, addressOf('real'));
        a.label('real');
        loadDataSegments(a, 0);
        a.lidt(at('vectors'));
        a.int(0x50);
        a.mov(ax, DATA >> 4);
        a.mov(fs, ax);
        a.mov(eax, dword({ displacement: 0x20, segment: fs }));
        reportEax(a);
        done(a);
        a.label('handler');
        report(a, 0x50);
        a.iret();
        a.label('vectors');
        a.dw(0x3ff);
        a.dd(0);
      },
    });
    machine.memory.writeU16(0x50 * 4, machine.program.address('handler'));
    machine.memory.writeU32(DATA + 0x20, 0xdecade);
    assert.deepEqual(machine.finish(), [0x50, 0xdecade]);
    assert.equal(machine.cpu.getSpecialRegisters().cr0 & 1n, 0n);
  },
};

const unreal: ConformanceCase = {
  name: 'real mode keeps a segment limit of 4 GiB loaded in protected mode',
  run(t) {
    const machine = t.machine({
      mode: 'real',
      ramBytes: 0x200000,
      code(a) {
        a.lgdt(at('gdt'));
        setFlag(a, cr0, CR0_PE);
        a.mov(ax, SELECTORS.data);
        a.mov(fs, ax);
        a.mov(eax, cr0);
        a.and(eax, ~CR0_PE);
        a.mov(cr0, eax);
        a.mov(ebx, 0x123450);
        a.mov(eax, dword({ base: ebx, segment: fs }));
        reportEax(a);
        done(a);
        gdtPointer(a);
      },
    });
    machine.memory.writeU32(0x123450, 0x5eed);
    assert.deepEqual(machine.finish(), [0x5eed]);
  },
};

/** Leads SYSCALL to the label 'kernel', with IF clear. */
function enableSystemCalls(a: Assembler): void {
  a.mov(ecx, EFER);
  a.rdmsr();
  a.or(eax, EFER_SCE);
  a.wrmsr();
  for (const [msr, low, high] of [
    [STAR, 0, (0x18 << 16) | SELECTORS.code64],
    [LSTAR, addressOf('kernel'), 0],
    [SFMASK, 0x200, 0],
  ] as const) {
    a.mov(ecx, msr);
    a.mov(eax, low);
    a.mov(edx, high);
    a.wrmsr();
  }
}

const systemCall: ConformanceCase = {
  name: 'SYSCALL and SYSRET between privilege levels 3 and 0',
  run(t) {
    const machine = t.machine({
      code(a) {
        enableSystemCalls(a);
        a.mov(rcx, addressOf('user'));
        a.mov(r11, 0x202);
        a.sysretq();
        a.label('user');
        a.syscall();
        a.label('after');
        a.jmp('after');
        a.label('kernel');
        a.mov(eax, cs);
        reportEax(a);
        reportWide(a, rcx);
        a.mov(rax, r11);
        reportEax(a);
        a.pushf();
        a.pop(rax);
        a.and(eax, 0x200);
        reportEax(a);
        done(a);
      },
    });
    const [selector, low, high, flags, now] = machine.finish();
    assert.equal(selector, SELECTORS.code64);
    assert.deepEqual(wideReports([low!, high!]), [BigInt(machine.program.address('after'))]);
    assert.equal(flags! & 0x200, 0x200);
    assert.equal(now, 0);
  },
};

const taskRegister: ConformanceCase = {
  name: 'LTR and LLDT load what GDT entries describe, and mark the TSS busy',
  run(t) {
    const machine = t.machine({
      mode: 'protected',
      code(a) {
        a.mov(eax, SELECTORS.tss);
        a.ltr(ax);
        a.mov(eax, 0);
        a.lldt(ax);
        done(a);
      },
    });
    machine.expectDone();
    const { tr } = machine.cpu.getSpecialRegisters();
    assert.equal(tr.selector, SELECTORS.tss);
    assert.equal(tr.type, 0xb);
    assert.equal(machine.memory.readU8(GDT + SELECTORS.tss + 5) & 0xf, 0xb);
  },
};

const tableRegisters: ConformanceCase = {
  name: 'SGDT and SIDT store what the host set',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rax, DATA);
        a.sgdt(at(rax));
        a.sidt(at(rax, 16));
        done(a);
      },
    });
    const cpu = machine.cpu;
    const special = cpu.getSpecialRegisters();
    cpu.setSpecialRegisters({
      ...special,
      gdt: { base: 0x1122_3344_5566n, limit: 0x7ff },
      idt: { base: 0x6655_4433n, limit: 0xabc },
    });
    machine.expectDone();
    assert.equal(machine.memory.readU16(DATA), 0x7ff);
    assert.equal(machine.memory.readU64(DATA + 2), 0x1122_3344_5566n);
    assert.equal(machine.memory.readU16(DATA + 16), 0xabc);
    assert.equal(machine.memory.readU64(DATA + 18), 0x6655_4433n);
  },
};

const segmentBases: ConformanceCase = {
  name: 'FS and GS bases, SWAPGS',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rax, qword({ displacement: 8, segment: fs }));
        reportEax(a);
        a.mov(rax, qword({ displacement: 8, segment: gs }));
        reportEax(a);
        a.swapgs();
        a.mov(rax, qword({ displacement: 8, segment: gs }));
        reportEax(a);
        done(a);
      },
    });
    const cpu = machine.cpu;
    const special = cpu.getSpecialRegisters();
    special.fs.base = BigInt(DATA);
    special.gs.base = BigInt(DATA + 0x100);
    cpu.setSpecialRegisters(special);
    cpu.setMsrs([{ index: 0xc0000102, value: BigInt(DATA + 0x200) }]);
    for (const i of [0, 1, 2]) machine.memory.writeU32(DATA + i * 0x100 + 8, 0xf0 + i);
    assert.deepEqual(machine.finish(), [0xf0, 0xf1, 0xf2]);
  },
};

export const modeCases: readonly ConformanceCase[] = [
  realToLong,
  protectedToReal,
  unreal,
  compatibility,
  systemCall,
  taskRegister,
  tableRegisters,
  segmentBases,
];
