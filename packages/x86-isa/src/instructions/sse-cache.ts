/** Fences, prefetches and masked stores (Intel SDM Vol. 1 §10.4.6 "SSE Cacheability Control, Prefetch, and Memory Ordering Instructions", §11.4.4). */
import type { Builder, Value } from '../builder.ts';
import {
  addressed,
  type Encoding,
  enc,
  type Feature,
  type Instruction,
  instruction,
} from '../instruction.ts';
import { address, r } from '../operand.ts';

const RDI = 7;

/** Any register in ModRM.rm will do. */
const fence = (mnemonic: string, digit: number, feature: Feature): Instruction =>
  instruction(mnemonic, {
    encodings: [enc('M', `NP 0F AE /${digit}`, address('rr32'))],
    feature,
    semantics: (e) => e.fence(),
  });

/** There is no cache to fetch into. Nothing is read, so that nothing faults. */
const PREFETCH: readonly Instruction[] = [
  ...['PREFETCHNTA', 'PREFETCHT0', 'PREFETCHT1', 'PREFETCHT2'].map((mnemonic, digit) =>
    instruction(mnemonic, {
      encodings: [enc('M', `0F 18 /${digit}`, address('m8'))],
      feature: 'SSE',
      semantics() {},
    }),
  ),
  instruction('PREFETCHW', {
    encodings: [enc('M', '0F 0D /r', address('m8'))],
    feature: 'SSE',
    semantics() {},
  }),
];

/**
 * Reserved for hints, and nothing until they are one: ENDBR64 is among them (Intel SDM Vol. 2B "NOP—No Operation", Vol.
 * 2A "ENDBR64—Terminate an Indirect Branch in 64-bit Mode"). Prefetches are some of them.
 */
const HINTS = instruction('NOP', {
  encodings: [
    ...[0, 1, 2, 3].map((digit) => enc('M', `0F 18 /${digit}`, address('rrmv'))),
    ...[4, 5, 6, 7].map((digit) => enc('M', `0F 18 /${digit}`, address('rmv'))),
    ...['19', '1A', '1B', '1C', '1D', '1E'].map((opcode) => enc('M', `0F ${opcode} /r`, address('rmv'))),
  ],
  semantics() {},
});

/** Intel SDM Vol. 2A "CLFLUSH—Flush Cache Line" and its like: all that is left of them without caches is that they may fault. */
const FLUSHES: readonly Instruction[] = [
  ...(
    [
      ['CLFLUSH', 'NP 0F AE /7'] as const,
      ['CLFLUSHOPT', '66 0F AE /7'] as const,
      ['CLWB', '66 0F AE /6'] as const,
    ] as const
  ).map(([mnemonic, notation]) =>
    instruction(mnemonic, {
      encodings: [enc('M', notation, r('m8'))],
      semantics: (e, line) => void e.read(line!),
    }),
  ),
];

/** Bytes whose mask has its top bit set, at DS:RDI or in the segment of the prefix. If there are none, MASKMOVQ may fault, and AMD's processors let only it do so. */
function storeMasked(e: Builder, value: Value, mask: Value, count: 8 | 16): void {
  const target = e.readRegister(RDI, e.addressBits);
  const chosen = e.vector.bitmask('i8x16', mask);
  const isLooked = count === 8 ? e.constant(1, 1) : e.compare('ne', chosen, e.constant(32, 0));
  e.if(isLooked, () => e.storeBytes(target, value, count, chosen));
}

const masked = (mnemonic: string, feature: Feature, encoding: Encoding): Instruction =>
  instruction(mnemonic, {
    encodings: [encoding],
    feature,
    semantics(e, source, mask) {
      const isMmx = source!.bits === 64;
      if (isMmx) e.vector.checkMmx();
      const [value, chosen] = [e.read(source!), e.read(mask!)].map((it) =>
        isMmx ? e.vector.zeroExtend(it) : it,
      );
      // Processors change the x87 state even if the store faults.
      if (isMmx) e.vector.enterMmx();
      storeMasked(e, value!, chosen!, isMmx ? 8 : 16);
    },
  });

export const SSE_CACHE: readonly Instruction[] = [
  fence('LFENCE', 5, 'SSE2'),
  fence('MFENCE', 6, 'SSE2'),
  fence('SFENCE', 7, 'SSE'),
  ...PREFETCH,
  ...FLUSHES,
  HINTS,
  masked('MASKMOVDQU', 'SSE2', enc('RM', '66 0F F7 /r', r('x'), r('xr'), addressed)),
  masked('MASKMOVQ', 'SSE', enc('RM', 'NP 0F F7 /r', r('q'), r('qr'), addressed)),
];
