/** A difference, told so that it can be understood and run again. */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Variant } from '@vireo/x86-engine/interpreter/variants';
import type { Difference } from './batch.ts';
import type { EngineResult } from './engine-machine.ts';
import { describeNative, describeOurs } from './fault-comparison.ts';
import { LAYOUT } from './native/address-space.ts';
import type { NativeResult } from './native/case.ts';
import type { TestCase, TestCode } from './test-case.ts';
import { FXSAVE } from './vector-state.ts';

const REGISTER_NAMES = [
  ...['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI'],
  ...['R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15'],
];
const IN_ONE_LINE = 4;

export interface HowToRun {
  readonly undefinedToo?: boolean;
  readonly hiddenToo?: boolean;
}

export function reproducer(found: Difference, seed: number, how: HowToRun = {}): string {
  const { variant, code, test, native, ours, difference, caseNumber } = found;
  const flags = `${how.undefinedToo ? ' --undefined-too' : ''}${how.hiddenToo ? ' --hidden-too' : ''}`;
  return [
    `${describeVariant(variant)}: ${difference}`,
    `code     ${hexBytes(test.code)}${disassembled(test.code)}`,
    ...describeInput(code, test),
    ...describeOutcome('silicon', test, native.state, describeNative(native.fault)),
    ...(ours ? describeOutcome('engine', test, ours, describeOurs(ours)) : []),
    `again    npm run fuzz:silicon -- --seed ${seed} --case ${caseNumber}${flags}`,
  ].join('\n');
}

export function describeVariant({ instruction, encoding, operandBits, rm, lock, repeat }: Variant): string {
  const prefixes = `${lock ? 'LOCK ' : ''}${repeat === 'none' ? '' : `${repeat.toUpperCase()} `}`;
  return `${prefixes}${instruction.mnemonic} (${encoding.notation}, ${operandBits} bits${rm ? `, ${rm}` : ''})`;
}

function describeInput({ window, segmentBases }: TestCode, test: TestCase): string[] {
  const { registers, rflags, memory, fxsave } = test;
  const lines = [...registers].map((value, number) => `${REGISTER_NAMES[number]}=${hex(value)}`);
  const rows: string[] = [];
  for (let at = 0; at < lines.length; at += IN_ONE_LINE)
    rows.push(`         ${lines.slice(at, at + IN_ONE_LINE).join(' ')}`);
  return [
    `before   RFLAGS=${hex(rflags)} FS base=${hex(segmentBases.fs)} GS base=${hex(segmentBases.gs)}`,
    ...rows,
    `memory   at ${hex(window.gva)}: ${hexBytes(memory)}`,
    ...(fxsave ? [`FXSAVE   ${hexBytes(fxsave.subarray(0, FXSAVE.xmmEnd))}`] : []),
  ];
}

type After = Pick<EngineResult & NativeResult['state'], 'registers' | 'rflags' | 'rip'>;

/** What has changed. */
function describeOutcome(
  side: string,
  { registers, rflags }: TestCase,
  after: After & Pick<NativeResult['state'], 'fxsave'>,
  fault: string,
): string[] {
  const changed = [...after.registers].flatMap((value, number) =>
    value === registers[number] ? [] : [`${REGISTER_NAMES[number]}=${hex(value)}`],
  );
  if (after.rflags !== rflags) changed.push(`RFLAGS=${hex(after.rflags)}`);
  if (after.fxsave)
    changed.push(`MXCSR=${hex(new DataView(after.fxsave.buffer).getUint32(FXSAVE.mxcsr, true))}`);
  const length = Number(after.rip) - LAYOUT.codeGva;
  return [`${side.padEnd(8)} ${fault}, RIP at +${length}, ${changed.join(' ') || 'no register changed'}`];
}

/** With binutils, where there are any. */
function disassembled(code: Uint8Array): string {
  const file = join(tmpdir(), `vireo-silicon-${process.pid}.bin`);
  writeFileSync(file, code);
  const options = ['-D', '-b', 'binary', '-m', 'i386:x86-64', '-M', 'intel', '--no-show-raw-insn', file];
  const { stdout } = spawnSync('objdump', options, { encoding: 'utf8' });
  rmSync(file);
  const text = /^ +0:\t(.*)$/m.exec(stdout ?? '')?.[1]?.trim();
  return text === undefined ? '' : `  ${text.replace(/\s+/g, ' ')}`;
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
const hexBytes = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
