/**
 * Stores of every kind across two pages, of which the second faults: nothing is written and no register changes, and a device
 * on the first page sees nothing (Intel SDM Vol. 3A §6.5 "Exception Classifications": the machine state is as before the
 * instruction).
 */
import assert from 'node:assert/strict';
import {
  type Assembler,
  at,
  dword,
  eax,
  ecx,
  edi,
  qword,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rsp,
  xmm0,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, reportWide, wideReports } from '../guest-code.ts';
import { DATA, MMIO } from '../guest-layout.ts';
import { enableSse, enableXsave, XCR0_SSE, XCR0_X87 } from '../guest-vector.ts';
import type { Feature } from '../subject.ts';
import { useInterruptStack } from './interrupt-stacks.ts';
import {
  ALL_RIGHTS,
  CR0_WP,
  ENTRY_AT,
  entriesTo,
  mapRegion,
  PRESENT,
  PROTECTION,
  pageFaultHandler,
  REGION,
  setCr0,
  WRITE,
} from './page-window.ts';

const PAGE = 0x1000;

interface Store {
  readonly name: string;
  readonly needs?: readonly Feature[];
  readonly prepare?: (a: Assembler) => void;
  /** RBX is the region; RSP, for what pushes, 4 bytes into its second page. */
  readonly store: (a: Assembler) => void;
}

const STORES: readonly Store[] = [
  { name: 'XCHG', store: (a) => a.xchg(qword(rbx, 0xffc), rax) },
  { name: 'BTS', store: (a) => a.bts(dword(rbx, 0xffe), 3) },
  { name: 'CMPXCHG8B', store: (a) => a.cmpxchg8b(at(rbx, 0xffc)) },
  { name: 'locked CMPXCHG8B', store: (a) => [a.lock(), a.cmpxchg8b(at(rbx, 0xffc))] },
  { name: 'SHL', store: (a) => a.shl(dword(rbx, 0xffd), 1) },
  { name: 'POP', store: (a) => a.pop(qword(rbx, 0xffb)) },
  { name: 'SGDT', needs: ['whole-stores'], store: (a) => a.sgdt(at(rbx, 0xffa)) },
  { name: 'STOS', store: (a) => [a.lea(rdi, at(rbx, 0xffd)), a.stos(32)] },
  {
    name: 'FSTP of 80 bits',
    needs: ['x87', 'whole-stores'],
    prepare: (a) => [a.fninit(), a.fldpi()],
    store: (a) => a.fstpExtended(at(rbx, 0xff8)),
  },
  {
    name: 'FXSAVE',
    needs: ['sse', 'whole-stores'],
    prepare: enableSse,
    store: (a) => a.fxsave(at(rbx, 0xf00)),
  },
  {
    name: 'STMXCSR',
    needs: ['sse'],
    prepare: enableSse,
    store: (a) => a.stmxcsr(at(rbx, 0xffe)),
  },
  {
    name: 'MOVDQU',
    needs: ['sse', 'whole-stores'],
    prepare: enableSse,
    store: (a) => a.movdqu(at(rbx, 0xff1), xmm0),
  },
  {
    name: 'XSAVE',
    needs: ['xsave', 'whole-stores'],
    prepare(a) {
      enableSse(a);
      enableXsave(a, XCR0_X87 | XCR0_SSE);
      a.pcmpeqd(xmm0, xmm0);
      a.mov(eax, XCR0_X87 | XCR0_SSE);
    },
    store: (a) => a.xsave(at(rbx, 0xf00)),
  },
];

const PUSHES: readonly Store[] = [
  { name: 'PUSH of an immediate', store: (a) => a.push(0x1234) },
  { name: 'PUSH from memory', store: (a) => a.push(qword(DATA)) },
  { name: 'PUSHF', store: (a) => a.pushf() },
  { name: 'CALL', store: (a) => a.call('elsewhere') },
  { name: 'CALL through memory', store: (a) => a.call(qword(DATA)) },
  { name: 'ENTER', store: (a) => a.db(0xc8, 0x10, 0x00, 0x00) },
];

/** The first page can be written, the second only read; the handler has a stack of its own. */
function faultingStore({ name, needs = [], prepare, store }: Store, pushes: boolean): ConformanceCase {
  return {
    name: `${name} across two pages, of which the second faults, changes neither memory nor registers`,
    needs,
    run(t) {
      const machine = t.machine({
        code(a) {
          setCr0(a, CR0_WP);
          prepare?.(a);
          a.mov(rbx, REGION);
          if (prepare === undefined) a.mov(rax, 0x0123_4567_89ab_cdefn);
          a.mov(rbp, 0x5566);
          if (pushes) a.lea(rsp, at(rbx, PAGE + 4));
          a.label('fault');
          store(a);
          a.label('elsewhere');
          report(a, 0xbad);
          done(a);
          pageFaultHandler(a);
        },
        vectors: { 14: 'page fault', 64: 'elsewhere' },
      });
      mapRegion(machine, entriesTo(DATA));
      machine.memory.writeU64(ENTRY_AT.table + 8, BigInt(DATA + PAGE) | PRESENT);
      machine.memory.view(DATA, 2 * PAGE).fill(0x55);
      useInterruptStack(machine, 14);
      const [error, ...address] = machine.finish();
      assert.equal(error, PROTECTION | WRITE);
      // The first byte of the second page, or for what is looked at before, the last byte of all.
      assert.deepEqual(
        wideReports(address).map((gva) => gva & ~0xfffn),
        [BigInt(REGION + PAGE)],
      );
      assert.ok(machine.memory.view(DATA, 2 * PAGE).every((byte) => byte === 0x55));
    },
  };
}

interface DeviceStore {
  readonly name: string;
  readonly store: (a: Assembler) => void;
}

const DEVICE_STORES: readonly DeviceStore[] = [
  { name: 'a store', store: (a) => a.mov(qword(rbx, 0xffc), rcx) },
  { name: 'a PUSH', store: (a) => [a.lea(rsp, at(rbx, PAGE + 4)), a.push(rcx)] },
  { name: 'a string store', store: (a) => [a.lea(rdi, at(rbx, 0xffd)), a.stos(32)] },
];

/** The device's part comes first, and would be an exit. */
function deviceStore({ name, store }: DeviceStore): ConformanceCase {
  return {
    name: `${name} from a device’s page into one that faults does not reach the device`,
    run(t) {
      const machine = t.machine({
        code(a) {
          a.mov(rbx, REGION);
          a.mov(rcx, 0x1122_3344_5566_7788n);
          store(a);
          report(a, 0xbad);
          done(a);
          pageFaultHandler(a);
        },
        vectors: { 14: 'page fault' },
      });
      mapRegion(machine, entriesTo(MMIO));
      useInterruptStack(machine, 14);
      const [error, ...address] = machine.finish();
      assert.equal(error, WRITE);
      assert.deepEqual(wideReports(address), [BigInt(REGION + PAGE)]);
    },
  };
}

/** A page that the handler maps: then the whole of it is done, once. */
const restarted: ConformanceCase = {
  name: 'a store from a device’s page into one that is then mapped reaches both, once',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rbx, REGION);
        a.mov(rcx, 0x1122_3344_5566_7788n);
        a.mov(qword(rbx, 0xffc), rcx);
        a.mov(rax, qword(rbx, PAGE));
        reportWide(a, rax);
        done(a);
        a.label('page fault');
        a.mov(ecx, Number(BigInt(DATA) | ALL_RIGHTS));
        a.mov(edi, ENTRY_AT.table + 8);
        a.mov(qword(rdi), rcx);
        a.mov(rcx, 0x1122_3344_5566_7788n);
        a.add(rsp, 8);
        a.iret();
      },
      vectors: { 14: 'page fault' },
    });
    mapRegion(machine, entriesTo(MMIO));
    const written: number[] = [];
    const reports = machine.finish({
      serve(exit) {
        if (exit.kind !== 'mmio' || exit.direction !== 'write') return false;
        written.push(exit.gpa, exit.lengthBytes, exit.data.getUint32(0, true));
        return true;
      },
    });
    assert.deepEqual(written, [MMIO + 0xffc, 4, 0x55667788]);
    assert.deepEqual(wideReports(reports), [0x11223344n]);
  },
};

export const faultingStoreCases: readonly ConformanceCase[] = [
  ...STORES.map((store) => faultingStore(store, false)),
  ...PUSHES.map((store) => faultingStore(store, true)),
  ...DEVICE_STORES.map(deviceStore),
  restarted,
];
