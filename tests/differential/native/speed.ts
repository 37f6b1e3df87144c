/** How many cases a second this host runs: `node tests/differential/native/speed.ts`. */
import { LAYOUT } from './address-space.ts';
import { RFLAGS_FIXED } from './machine-state.ts';
import { type NativeCase, Silicon } from './silicon.ts';

const ADD = Uint8Array.of(0x48, 0x01, 0xd8); // add rax, rbx
const UD2 = Uint8Array.of(0x0f, 0x0b);
const ADDPS = Uint8Array.of(0x0f, 0x58, 0xc1); // addps xmm0, xmm1
const STORE = Uint8Array.of(0x48, 0x89, 0x07); // mov [rdi], rax

const CASES = 20_000;

function casesOf(code: Uint8Array, more: Partial<NativeCase> = {}): NativeCase[] {
  return Array.from({ length: CASES }, (_, index) => {
    const registers = new BigUint64Array(16);
    registers[0] = BigInt(index);
    registers[7] = BigInt(LAYOUT.dataGva);
    return { code, state: { registers, rip: BigInt(LAYOUT.codeGva), rflags: RFLAGS_FIXED }, ...more };
  });
}

function measure(
  name: string,
  cases: readonly NativeCase[],
  run: (cases: readonly NativeCase[]) => unknown,
): void {
  const start = performance.now();
  run(cases);
  const ms = performance.now() - start;
  const perSecond = Math.round((cases.length * 1000) / ms).toLocaleString('en');
  process.stdout.write(
    `${name.padEnd(40)} ${((ms * 1000) / cases.length).toFixed(2).padStart(7)} µs ${perSecond.padStart(10)} /s\n`,
  );
}

const reason = Silicon.unavailable();
if (reason === undefined) {
  using silicon = Silicon.open();
  const memory = { readBack: [{ address: LAYOUT.dataGva, lengthBytes: 8 }] };
  const kinds: readonly [string, NativeCase[]][] = [
    ['integer', casesOf(ADD)],
    ['integer, memory read back', casesOf(STORE, memory)],
    ['SSE, FXSAVE area read', casesOf(ADDPS, { wantsFxsave: true })],
    ['fault', casesOf(UD2)],
  ];
  for (const [name, cases] of kinds) {
    measure(`${name}, by itself`, cases, (all) => all.map((each) => silicon.run(each)));
    measure(`${name}, in volleys`, cases, (all) => silicon.runAll(all));
  }
} else {
  process.stdout.write(`${reason}\n`);
}
