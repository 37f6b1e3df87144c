/**
 * Limits of segments: expand-up and expand-down, of both sizes, for data, stacks and code (Intel SDM Vol. 3A §5.3 "Limit
 * Checking", §6.15 "Interrupt 12—Stack Fault Exception (#SS)").
 */
import assert from 'node:assert/strict';
import {
  type Assembler,
  addressOf,
  ax,
  byte,
  cs,
  ds,
  dword,
  eax,
  ebx,
  edx,
  esp,
  fs,
  ss,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, reportEax } from '../guest-code.ts';
import { CODE, CODE_TYPE, DATA, DATA_TYPE, type SegmentShape } from '../guest-layout.ts';
import { type Fault, faultCase } from './fault-case.ts';
import { OWN, setDescriptor } from './own-descriptors.ts';

const NEEDS = ['segment-checks'] as const;
const SS = 12;
const GP = 13;
const EXPAND_DOWN = DATA_TYPE | 4;

interface Bounds {
  readonly name: string;
  readonly shape: Omit<SegmentShape, 'selector'>;
  /** Of 4 bytes. */
  readonly inside: readonly number[];
  readonly outside: readonly number[];
}

/** Valid offsets of an expand-down segment are above its limit, up to 64 KiB or 4 GiB. */
const BOUNDS: readonly Bounds[] = [
  {
    name: 'an expand-down segment of 32 bits',
    shape: { type: EXPAND_DOWN, limit: DATA - 1 },
    inside: [DATA, DATA + 0x1234, DATA + 0x10000],
    outside: [DATA - 1, DATA - 3, 0, 0xffff_fffd],
  },
  {
    name: 'an expand-down segment of 16 bits',
    shape: { type: EXPAND_DOWN, base: DATA, limit: 0xfff, size: 16 },
    inside: [0x1000, 0xfffc],
    outside: [0xfff, 0xffd, 0xfffd, 0x10000],
  },
  {
    name: 'an expand-down segment with granularity 4 KiB',
    shape: { type: EXPAND_DOWN, limit: 0x10ffff },
    inside: [0x110000],
    outside: [0x10ffff, 0x10fffd],
  },
  {
    name: 'an expand-up segment of 16 bits whose limit is 4 GiB',
    shape: { type: DATA_TYPE, size: 16 },
    inside: [DATA, 0xffc],
    outside: [],
  },
  {
    name: 'an expand-up segment of 5 bytes',
    shape: { type: DATA_TYPE, base: DATA, limit: 4 },
    inside: [0, 1],
    outside: [2, 4, 5, 0xffff_fffe],
  },
];

function access(a: Assembler, offset: number): void {
  a.mov(ebx, offset);
  a.mov(eax, dword({ base: ebx, segment: fs }));
}

function boundsCase({ name, shape, inside, outside }: Bounds): ConformanceCase {
  return {
    name: `${name} has its bounds, at both ends`,
    needs: NEEDS,
    run(t) {
      const machine = t.machine({
        mode: 'protected',
        ramBytes: 0x200000,
        code(a) {
          a.mov(eax, OWN[0]);
          a.mov(fs, ax);
          for (const offset of [...inside, ...outside]) access(a, offset);
          done(a);
          a.label('handler');
          a.pop(eax);
          reportEax(a);
          a.mov(eax, ebx);
          reportEax(a);
          a.add(dword(esp), 3); // the length of the access
          a.iret();
        },
        vectors: { [GP]: 'handler' },
      });
      setDescriptor(machine, OWN[0], shape);
      assert.deepEqual(
        machine.finish(),
        outside.flatMap((offset) => [0, offset]),
      );
    },
  };
}

const FAULTS: readonly Fault[] = [
  {
    name: 'an access through BP beyond the limit of SS is #SS(0), through another register #GP(0)',
    ...{ mode: 'protected', needs: NEEDS, vector: SS, errorCode: 0 },
    prepare: (machine) => setDescriptor(machine, OWN[0], { type: DATA_TYPE, limit: 0xffff }),
    code(a) {
      a.mov(eax, OWN[0]);
      a.mov(ss, ax);
      a.mov(ebx, 0x20000);
      a.mov(eax, dword({ base: ebx })); // through DS
      a.label('fault');
      a.mov(eax, dword({ base: ebx, segment: ss }));
    },
  },
  {
    name: 'a jump beyond the limit of CS is #GP(0), at the jump',
    ...{ mode: 'protected', needs: ['code-limit-checks'], vector: GP, errorCode: 0 },
    prepare: (machine) => setDescriptor(machine, OWN[0], { type: CODE_TYPE, limit: 0xffff }),
    code(a) {
      a.jmpFar(OWN[0], addressOf('narrow'));
      a.label('narrow');
      a.mov(edx, 0x10000);
      a.label('fault');
      a.jmp(edx);
    },
  },
  {
    name: 'an instruction that crosses the limit of CS is #GP(0)',
    ...{ mode: 'protected', needs: ['code-limit-checks'], vector: GP, errorCode: 0 },
    prepare: (machine) => setDescriptor(machine, OWN[0], { type: CODE_TYPE, limit: CODE + 0x42 }),
    code(a) {
      a.jmpFar(OWN[0], addressOf('narrow'));
      a.org(CODE + 0x3f);
      a.label('narrow');
      a.nop();
      a.label('fault');
      a.mov(eax, 0x12345678); // of 5 bytes, of which 3 are inside
    },
  },
  {
    name: 'a far jump beyond the limit of its segment is #GP(0)',
    ...{ mode: 'protected', vector: GP, errorCode: 0 },
    prepare: (machine) => setDescriptor(machine, OWN[0], { type: CODE_TYPE, limit: 0xfff }),
    code(a) {
      a.label('fault');
      a.jmpFar(OWN[0], addressOf('fault'));
    },
  },
  {
    name: 'a write to a read-only segment is #GP(0)',
    ...{ mode: 'protected', needs: NEEDS, vector: GP, errorCode: 0 },
    prepare: (machine) => setDescriptor(machine, OWN[0], { type: 1 }),
    code(a) {
      a.mov(eax, OWN[0]);
      a.mov(ds, ax);
      a.mov(eax, dword(DATA));
      a.label('fault');
      a.mov(byte(DATA), 1);
    },
  },
  {
    name: 'a read of code that can only be executed is #GP(0)',
    ...{ mode: 'protected', needs: NEEDS, vector: GP, errorCode: 0 },
    prepare: (machine) => setDescriptor(machine, OWN[0], { type: 9 }),
    code(a) {
      a.jmpFar(OWN[0], addressOf('here'));
      a.label('here');
      a.label('fault');
      a.mov(eax, dword({ displacement: CODE, segment: cs }));
    },
  },
];

export const segmentLimitCases: readonly ConformanceCase[] = [
  ...BOUNDS.map(boundsCase),
  ...FAULTS.map(faultCase),
];
