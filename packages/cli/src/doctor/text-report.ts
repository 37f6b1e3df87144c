/** The report as a person reads it: one line a check, what to do below it. */
import { styleText } from 'node:util';
import type { DoctorReport, Status } from './report.ts';

const MARK: Readonly<Record<Status, string>> = { ok: '✓', warn: '!', fail: '✗' };
const COLOUR: Readonly<Record<Status, 'green' | 'yellow' | 'red'>> = {
  ok: 'green',
  warn: 'yellow',
  fail: 'red',
};

const ACCELERATORS: Readonly<Record<NonNullable<DoctorReport['accelerator']>, string>> = {
  kvm: 'KVM',
  wasm: "Vireo's own x86-64 engine, more slowly than with KVM",
};

/** Coloured only where standard output is a terminal, and as NO_COLOR and FORCE_COLOR say. */
export function formatText({ vireo, checks, accelerator }: DoctorReport): string {
  const width = Math.max(...checks.map(({ title }) => title.length));
  const lines = checks.flatMap(({ status, title, found, advice }) => [
    `${styleText(COLOUR[status], MARK[status])} ${title.padEnd(width)}  ${found}`,
    ...(advice === undefined ? [] : [`  ${' '.repeat(width)}  ${styleText('dim', `→ ${advice}`)}`]),
  ]);
  const verdict =
    accelerator === null
      ? styleText('red', 'This host cannot run VMs: see the lines marked ✗.')
      : styleText('green', `This host can run VMs, with ${ACCELERATORS[accelerator]}.`);
  return `Vireo ${vireo}\n\n${lines.join('\n')}\n\n${verdict}\n`;
}
