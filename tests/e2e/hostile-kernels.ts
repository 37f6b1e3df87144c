/**
 * Kernels of a few instructions that do what no kernel should, entered by PVH in 32-bit protected mode with flat
 * segments, interrupts off and no interrupt table (Xen, "x86/HVM direct boot ABI"): an exception that nothing handles is
 * a triple fault (Intel SDM Vol. 3A §6.15 "Exception and Interrupt Reference", "Interrupt 8—Double Fault Exception").
 */
import {
  type Assembler,
  addressOf,
  al,
  assemble,
  at,
  ax,
  byte,
  cr0,
  cr3,
  cr4,
  dword,
  dx,
  eax,
  ecx,
  edi,
  edx,
  esp,
  type Immediate,
  ss,
  word,
} from '@vireo/hypervisor/conformance/assembler';
import { compactElf } from '../../packages/boot/src/compact-elf.ts';

const FAULT = 'fault';
export const STARTED = '!';

const COM1 = 0x3f8;
const LOAD_GPA = 0x100_0000;
export const STACK_GPA = 0x200_0000;
/** Neither memory nor a device: reads give ones. */
const NOWHERE_GPA = 0xd000_0000;
const LOCAL_APIC_GPA = 0xfee0_0000;
const AP_START_GPA = 0x8000;

const CR0_PG = 0x8000_0000;
const CR4_PAE = 1 << 5;
const MSR_EFER = 0xc000_0080;
const EFER_LME = 1 << 8;

export interface HostileKernel {
  readonly does: string;
  readonly file: Uint8Array;
  /** Of the instruction that faults; undefined where that is not the point. */
  readonly faultsAt?: number | undefined;
}

/** `fault` is the address, or the label, of the instruction that faults. */
export function kernel(does: string, write: (a: Assembler) => void, fault?: number | string): HostileKernel {
  const program = assemble({ origin: LOAD_GPA, bits: 32 }, write);
  const { bytes } = program;
  const segment = {
    ...{ offset: 0, gpa: LOAD_GPA, gva: BigInt(LOAD_GPA) },
    ...{ fileBytes: bytes.length, memoryBytes: bytes.length },
  };
  const elf = { bits: 64, entry: BigInt(LOAD_GPA), segments: [segment], pvhEntryGpa: LOAD_GPA } as const;
  const faultsAt = typeof fault === 'string' ? program.address(fault) : fault;
  return { does, file: Buffer.concat(compactElf(bytes, elf, LOAD_GPA)), faultsAt };
}

function busyKernel(does: string, write: (a: Assembler) => void): HostileKernel {
  return kernel(does, (a) => {
    a.cli();
    a.mov(edx, COM1);
    a.mov(al, STARTED.charCodeAt(0));
    a.out(dx, al);
    write(a);
  });
}

function spin(a: Assembler): void {
  const label = `spin at ${a.here}`;
  a.label(label);
  a.jmp(label);
}

/** A limit and a base, as LGDT and LIDT read them. */
function tableAt(a: Assembler, label: string, limit: number, base: Immediate): void {
  a.label(label);
  a.dw(limit);
  a.dd(base);
}

/** An interrupt table with one gate, #UD's, to `handler` (putTables). */
export function loadTables(a: Assembler): void {
  a.lgdt(at('segments and limit'));
  a.lidt(at('gates and limit'));
  // #UD's gate: present, of 32 bits, to code segment 8.
  a.mov(eax, addressOf('handler'));
  a.mov(word('gates', 6 * 8), ax);
  a.mov(word('gates', 6 * 8 + 2), 8);
  a.mov(word('gates', 6 * 8 + 4), 0x8e00);
  a.shr(eax, 16);
  a.mov(word('gates', 6 * 8 + 6), ax);
}

/** Flat segments and the gates; and what loads them. */
export function putTables(a: Assembler): void {
  a.label('gates');
  for (let vector = 0; vector < 8; vector++) a.dq(0n);
  a.label('segments');
  a.dq(0n);
  a.dq(0x00cf_9b00_0000_ffffn);
  a.dq(0x00cf_9300_0000_ffffn);
  tableAt(a, 'segments and limit', 23, addressOf('segments'));
  tableAt(a, 'gates and limit', 63, addressOf('gates'));
}

function turnPagingOn(a: Assembler, directoryGpa: number): void {
  a.mov(eax, directoryGpa);
  a.mov(cr3, eax);
  a.mov(eax, cr0);
  a.or(eax, CR0_PG);
  a.mov(cr0, eax);
}

/** Each ends in a triple fault. */
export const FAULTING_KERNELS: readonly HostileKernel[] = [
  kernel(
    'an undefined instruction',
    (a) => {
      a.ud2();
    },
    LOAD_GPA,
  ),
  kernel('garbage', (a) =>
    a.db(...Array.from({ length: 4096 }, (_, i) => (i * 167 + (i >> 3) * 59 + 0xf7) & 0xff)),
  ),
  kernel(
    'an instruction of 16 bytes',
    (a) => {
      a.db(...new Array(15).fill(0x66), 0x90);
    },
    LOAD_GPA,
  ),
  kernel(
    'a jump to where no memory is',
    (a) => {
      a.mov(eax, NOWHERE_GPA);
      a.jmp(eax);
    },
    NOWHERE_GPA,
  ),
  kernel(
    'a jump into the local APIC',
    (a) => {
      a.mov(eax, LOCAL_APIC_GPA + 0xffc);
      a.jmp(eax);
    },
    LOCAL_APIC_GPA + 0xffc,
  ),
  kernel(
    'a jump to the last byte of the address space',
    (a) => {
      a.mov(eax, 0xffff_ffff);
      a.jmp(eax);
    },
    0xffff_ffff,
  ),
  kernel('a stack where no memory is', (a) => {
    a.mov(esp, NOWHERE_GPA);
    a.call('called');
    a.label('called');
    a.ret();
  }),
  kernel(
    'an interrupt table where no memory is',
    (a) => {
      a.lidt(at('table'));
      a.label(FAULT);
      a.int3();
      tableAt(a, 'table', 0xffff, NOWHERE_GPA);
    },
    FAULT,
  ),
  kernel(
    'an interrupt table that wraps round the address space',
    (a) => {
      a.lidt(at('table'));
      a.label(FAULT);
      a.int(0x80);
      tableAt(a, 'table', 0xffff, 0xffff_fff9);
    },
    FAULT,
  ),
  kernel(
    'a descriptor table where no memory is',
    (a) => {
      a.lgdt(at('table'));
      a.mov(ax, 0xfff8);
      a.label(FAULT);
      a.mov(ss, ax);
      tableAt(a, 'table', 0xffff, NOWHERE_GPA);
    },
    FAULT,
  ),
  kernel(
    'a task register that names no task',
    (a) => {
      a.lgdt(at('table'));
      a.mov(ax, 8);
      a.label(FAULT);
      a.ltr(ax);
      tableAt(a, 'table', 15, LOAD_GPA);
    },
    FAULT,
  ),
  kernel('page tables where no memory is', (a) => turnPagingOn(a, NOWHERE_GPA)),
  kernel('page tables in the local APIC', (a) => turnPagingOn(a, LOCAL_APIC_GPA)),
  kernel('page tables of 64-bit mode that are full of ones', (a) => {
    a.mov(edi, STACK_GPA);
    a.mov(eax, 0xffff_ffff);
    a.mov(ecx, 1024);
    a.rep();
    a.stos(32);
    a.mov(eax, cr4);
    a.or(eax, CR4_PAE);
    a.mov(cr4, eax);
    a.mov(ecx, MSR_EFER);
    a.rdmsr();
    a.or(eax, EFER_LME);
    a.wrmsr();
    turnPagingOn(a, STACK_GPA);
  }),
  kernel(
    'reserved bits of CR4',
    (a) => {
      a.mov(eax, 0xffff_ffff);
      a.label(FAULT);
      a.mov(cr4, eax);
    },
    FAULT,
  ),
  kernel(
    'a model-specific register that does not exist',
    (a) => {
      a.mov(ecx, 0xdead_beef);
      a.label(FAULT);
      a.wrmsr();
    },
    FAULT,
  ),
  kernel('ones stored over all memory and itself', (a) => {
    a.mov(edi, LOAD_GPA - 0x1000);
    a.mov(eax, 0xffff_ffff);
    a.mov(ecx, 0x1000_0000);
    a.rep();
    a.stos(32);
    spin(a);
  }),
];

/** Each says so on the first serial port and then goes on for ever, with interrupts off. */
export const BUSY_KERNELS: readonly HostileKernel[] = [
  busyKernel('a loop', (a) => spin(a)),
  busyKernel('a halt that nothing ends', (a) => a.hlt()),
  busyKernel('a store to all the address space, again and again', (a) => {
    a.mov(eax, 0);
    a.label('again');
    a.mov(edi, NOWHERE_GPA);
    a.mov(ecx, 0x0fff_0000);
    a.rep();
    a.stos(8);
    a.jmp('again');
  }),
  busyKernel('exceptions whose handler raises the next', (a) => {
    loadTables(a);
    a.label('handler');
    a.mov(esp, STACK_GPA);
    a.ud2();
    putTables(a);
  }),
  busyKernel('a loop on every vCPU', (a) => {
    a.mov(byte(AP_START_GPA), 0xfa); // CLI, and JMP to itself
    a.mov(dword(AP_START_GPA + 1), 0xfeeb);
    a.mov(dword(LOCAL_APIC_GPA + 0xf0), 0x1ff);
    a.mov(dword(LOCAL_APIC_GPA + 0x300), 0xc_4500); // INIT to all but itself
    a.mov(dword(LOCAL_APIC_GPA + 0x300), 0xc_4600 | (AP_START_GPA >> 12)); // SIPI
    spin(a);
  }),
];
