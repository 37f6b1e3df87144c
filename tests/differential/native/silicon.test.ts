import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { LAYOUT } from './address-space.ts';
import { INITIAL_FXSAVE, RFLAGS_FIXED, RFLAGS_SETTABLE } from './machine-state.ts';
import { type NativeCase, type NativeResult, Silicon } from './silicon.ts';

const skip = Silicon.unavailable() ?? false;

const CODE = BigInt(LAYOUT.codeGva);
const CODE_END = CODE + BigInt(LAYOUT.codeLengthBytes);
const DATA = LAYOUT.dataGva;
const DATA_END = DATA + LAYOUT.dataLengthBytes;

const [CF, PF, AF, ZF, SF, TF, OF, NT] = [0x1n, 0x4n, 0x10n, 0x40n, 0x80n, 0x100n, 0x800n, 0x4000n];
const STATUS_FLAGS = CF | PF | AF | ZF | SF | OF;

const NUMBERS = { rax: 0, rcx: 1, rdx: 2, rbx: 3, rsp: 4, rbp: 5, rsi: 6, rdi: 7 };
type Name = keyof typeof NUMBERS;
type Given = Partial<Record<Name | 'rip' | 'rflags' | 'fsBase', bigint | number>>;

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const hexOf = (array: Uint8Array | undefined) => Buffer.from(array ?? []).toString('hex');

function makeCase(hex: string, given: Given = {}, more: Partial<NativeCase> = {}): NativeCase {
  const registers = new BigUint64Array(16);
  for (const [name, number] of Object.entries(NUMBERS)) registers[number] = BigInt(given[name as Name] ?? 0);
  const { rip = CODE, rflags = RFLAGS_FIXED, fsBase = 0n } = given;
  const state = { registers, rip: BigInt(rip), rflags: BigInt(rflags), fsBase: BigInt(fsBase) };
  return { code: bytes(hex), ...more, state: { ...state, ...more.state } };
}

const register = (result: NativeResult, name: Name) => result.state.registers[NUMBERS[name]];

describe('silicon', { skip }, () => {
  const silicon = skip ? (undefined as never) : Silicon.open();
  after(() => silicon[Symbol.dispose]());

  const run = (hex: string, given?: Given, more?: Partial<NativeCase>) =>
    silicon.run(makeCase(hex, given, more));

  /** Still does what it should. */
  const assertUsable = () => {
    const result = run('48 01 d8', { rax: 2, rbx: 3 });
    assert.equal(register(result, 'rax'), 5n);
    assert.equal(result.fault, undefined);
  };

  test('ADD sets the status flags; RIP tells the length', () => {
    const result = run('48 01 d8', { rax: 0x7fff_ffff_ffff_ffffn, rbx: 1 });
    assert.equal(register(result, 'rax'), 0x8000_0000_0000_0000n);
    assert.equal(result.state.rip, CODE + 3n);
    assert.equal(result.state.rflags, RFLAGS_FIXED | OF | SF | AF | PF);
    assert.equal(result.fault, undefined);
  });

  test('ADC adds the carry that it is given', () => {
    const result = run('48 11 d8', { rax: 0xffff_ffff_ffff_ffffn, rflags: RFLAGS_FIXED | CF });
    assert.equal(register(result, 'rax'), 0n);
    assert.equal(result.state.rflags & STATUS_FLAGS, CF | ZF | AF | PF);
    assert.equal(run('48 11 d8').state.rflags & STATUS_FLAGS, ZF | PF);
  });

  test('MUL has its upper half in RDX', () => {
    const result = run('48 f7 e3', { rax: 0xffff_ffff_ffff_ffffn, rbx: 0xffff_ffff_ffff_ffffn });
    assert.equal(register(result, 'rdx'), 0xffff_ffff_ffff_fffen);
    assert.equal(register(result, 'rax'), 1n);
    assert.equal(result.state.rflags & (CF | OF), CF | OF);
  });

  test('all registers go in and come out', () => {
    const registers = BigUint64Array.from(
      { length: 16 },
      (_, number) => (0x1111_1111_1111_1111n * BigInt(number)) >> (number === 4 ? 17n : 0n),
    );
    const result = silicon.run({ code: bytes('90'), state: { registers, rip: CODE, rflags: RFLAGS_FIXED } });
    assert.deepEqual(result.state.registers, registers);
  });

  test('division by zero', () => {
    const { fault, state } = run('48 f7 f3', { rax: 1 });
    assert.deepEqual(fault, { kind: 'fpe', address: CODE, code: 1 });
    assert.equal(state.rip, CODE);
    assert.equal(state.rflags, RFLAGS_FIXED); // RF is not shown
  });

  test('an undefined opcode', () => assert.equal(run('0f 0b').fault?.kind, 'ill'));

  test('a privileged instruction', () =>
    assert.deepEqual(run('f4').fault, { kind: 'segv', address: 0n, code: 128 }));

  test('a load from where nothing is', () => {
    const { fault } = run('48 8b 00', { rax: LAYOUT.unmappedGva - 4 });
    assert.deepEqual(fault, { kind: 'segv', address: BigInt(LAYOUT.unmappedGva), code: 1 });
  });

  test('read-only data and code can be read and not written', () => {
    const memory = [{ address: LAYOUT.readonlyGva, bytes: bytes('efcdab8967452301') }];
    const load = run('48 8b 00', { rax: LAYOUT.readonlyGva }, { memory });
    assert.equal(register(load, 'rax'), 0x0123_4567_89ab_cdefn);
    const { fault } = run('48 89 00', { rax: LAYOUT.readonlyGva }, { memory });
    assert.deepEqual(fault, { kind: 'segv', address: BigInt(LAYOUT.readonlyGva), code: 2 });
    assert.deepEqual(run('48 89 00', { rax: CODE }).fault, { kind: 'segv', address: CODE, code: 2 });
  });

  test('code that crosses into where nothing is', () => {
    const { fault, state } = run('48 c7', { rip: CODE_END - 2n });
    assert.deepEqual(fault, { kind: 'segv', address: CODE_END, code: 1 });
    assert.equal(state.rip, CODE_END - 2n);
    for (const [hex, length] of [
      ['90', 1n],
      ['9c', 1n],
      ['f3 a4', 2n],
    ] as const) {
      const last = run(hex, { rip: CODE_END - length, rsp: DATA_END, rsi: DATA, rdi: DATA, rcx: 1 });
      assert.equal(last.fault, undefined, hex);
      assert.equal(last.state.rip, CODE_END, hex);
    }
  });

  test('memory is written before and read afterwards, and zero elsewhere', () => {
    const readBack = [
      { address: DATA, lengthBytes: 4 },
      { address: DATA_END - 2, lengthBytes: 2 },
    ];
    const memory = [{ address: DATA, bytes: bytes('01020304') }];
    assert.deepEqual(
      run('66 89 18', { rax: DATA + 1, rbx: 0xbbaa }, { memory, readBack }).memory.map(hexOf),
      ['01aabb04', '0000'],
    );
    run('66 89 18', { rax: DATA_END - 2, rbx: 0xbbaa });
    assert.deepEqual(run('90', {}, { readBack }).memory.map(hexOf), ['00000000', '0000']);
  });

  test('read-only data is zero again in the next case', () => {
    run('90', {}, { memory: [{ address: LAYOUT.readonlyGva, bytes: bytes('ff') }] });
    assert.equal(register(run('48 8b 00', { rax: LAYOUT.readonlyGva }), 'rax'), 0n);
  });

  test('nothing is left of AVX registers', (context) => {
    const memory = [{ address: DATA, bytes: new Uint8Array(32).fill(0x11) }];
    const readBack = [{ address: DATA, lengthBytes: 32 }];
    const load = run('c5 fc 10 00', { rax: DATA }, { memory }); // VMOVUPS YMM0, [RAX]
    if (load.fault) return context.skip('the processor has no AVX');
    assert.equal(hexOf(run('c5 fc 11 00', { rax: DATA }, { memory, readBack }).memory[0]), '00'.repeat(32));
  });

  test('FS has the base it is given', () => {
    const memory = [{ address: DATA + 8, bytes: bytes('2a') }];
    assert.equal(register(run('64 48 8b 00', { rax: 8, fsBase: DATA }, { memory }), 'rax'), 42n);
  });

  test('SSE: a rounded sum sets PE in MXCSR, and nothing of it is left to the next case', () => {
    const area = new DataView(INITIAL_FXSAVE.slice().buffer);
    area.setFloat32(160, 1, true); // XMM0
    area.setFloat32(176, 2 ** -30, true); // XMM1
    const more = { wantsFxsave: true };
    const state = { ...makeCase('').state, fxsave: new Uint8Array(area.buffer) };
    const { fxsave } = run('0f 58 c1', {}, { ...more, state }).state;
    const sum = new DataView(fxsave!.buffer);
    assert.equal(sum.getUint32(24, true), 0x1fa0);
    assert.equal(sum.getFloat32(160, true), 1);
    const next = run('0f 58 c1', {}, more).state.fxsave!;
    assert.equal(new DataView(next.buffer).getUint32(24, true), 0x1f80);
    assert.ok(next.subarray(160, 416).every((byte) => byte === 0));
  });

  test('an unmasked SSE exception', () => {
    const fxsave = INITIAL_FXSAVE.slice();
    new DataView(fxsave.buffer).setUint32(24, 0x1d80, true); // ZM clear
    new DataView(fxsave.buffer).setFloat32(160, 1, true);
    const state = { ...makeCase('').state, fxsave };
    assert.deepEqual(run('0f 5e c1', {}, { state }).fault, { kind: 'fpe', address: CODE, code: 3 });
  });

  test('x87: a block of FLD and FADD leaves an 80-bit sum', () => {
    const memory = [{ address: DATA, bytes: new Uint8Array(Float64Array.of(1.5, 2.25).buffer) }];
    const result = run('dd 00 dc 40 08', { rax: DATA }, { memory, wantsFxsave: true, extent: 'block' });
    const { fxsave, rip } = result.state;
    assert.equal(rip, CODE + 5n);
    assert.equal(hexOf(fxsave!.subarray(32, 42)), '00000000000000f00040'); // 3.75
    assert.equal(hexOf(fxsave!.subarray(0, 5)), '7f03003880'); // FCW, FSW with TOP 7, abridged FTW
  });

  test('REP MOVSB runs to its end, and faults in the middle', () => {
    const memory = [{ address: DATA, bytes: bytes('0102030405') }];
    const readBack = [{ address: DATA_END - 3, lengthBytes: 3 }];
    const whole = run('f3 a4', { rcx: 3, rsi: DATA, rdi: DATA_END - 3 }, { memory, readBack });
    assert.equal(whole.fault, undefined);
    assert.equal(whole.state.rip, CODE + 2n);
    assert.equal(register(whole, 'rcx'), 0n);
    assert.equal(hexOf(whole.memory[0]), '010203');
    const partial = run('f3 a4', { rcx: 5, rsi: DATA, rdi: DATA_END - 3 }, { memory, readBack });
    assert.deepEqual(partial.fault, { kind: 'segv', address: BigInt(DATA_END), code: 1 });
    assert.equal(partial.state.rip, CODE);
    assert.equal(register(partial, 'rcx'), 2n);
    assert.equal(register(partial, 'rdi'), BigInt(DATA_END));
  });

  test('PUSHF pushes no TF but the one that it is given', () => {
    const readBack = [{ address: DATA_END - 8, lengthBytes: 8 }];
    const pushed = (rflags: bigint) =>
      new DataView(run('9c', { rsp: DATA_END, rflags }, { readBack }).memory[0]!.buffer).getBigUint64(
        0,
        true,
      );
    assert.equal(pushed(RFLAGS_FIXED | CF), RFLAGS_FIXED | CF);
    assert.equal(pushed(RFLAGS_FIXED | TF) & TF, TF);
    assert.equal(pushed(RFLAGS_FIXED), RFLAGS_FIXED);
  });

  test('POPF sets all flags that it may, and none of them stays', () => {
    const memory = [{ address: DATA, bytes: bytes('ffffffffffffffff') }];
    const all = run('9d', { rsp: DATA }, { memory });
    assert.equal(all.state.rflags, RFLAGS_FIXED | RFLAGS_SETTABLE | NT);
    assert.equal(run('90').state.rflags, RFLAGS_FIXED);
    assert.equal(run('9d', { rsp: LAYOUT.unmappedGva }, { memory }).state.rflags, RFLAGS_FIXED);
    assert.equal(run('9d', { rsp: DATA, rflags: RFLAGS_FIXED | RFLAGS_SETTABLE }).state.rflags, RFLAGS_FIXED);
  });

  test('all flags are what they were set to', () => {
    for (const rflags of [RFLAGS_FIXED | RFLAGS_SETTABLE, RFLAGS_FIXED, RFLAGS_FIXED | 0x20_0000n])
      assert.equal(run('90', { rflags }).state.rflags, rflags);
  });

  test('a load of SS is one instruction', () => {
    const result = run('8e d0', { rax: 0x2b });
    assert.equal(result.fault, undefined);
    assert.equal(result.state.rip, CODE + 2n);
  });

  test('traps of the code itself', () => {
    for (const [hex, length] of [
      ['cc', 1n],
      ['f1', 1n],
      ['cd 03', 2n],
    ] as const) {
      const { fault, state } = run(hex);
      assert.equal(fault?.kind, 'trap', hex);
      assert.equal(state.rip, CODE + length, hex);
    }
    assert.equal(run('b8 cc cc cc cc').fault, undefined);
  });

  test('a push to an address that is not canonical', () =>
    assert.equal(run('50', { rsp: 0xffff_8000_0000_0000n }).fault?.kind, 'bus'));

  test('a misaligned access with AC set', () =>
    assert.equal(run('8b 00', { rax: DATA + 1, rflags: RFLAGS_FIXED | 0x4_0000n }).fault?.kind, 'bus'));

  test('system calls are not made', () => {
    const EXIT = 60;
    assert.equal(run('0f 05', { rax: EXIT }).fault?.kind, 'system-call');
    assert.equal(run('90 0f 05', { rax: EXIT }, { extent: 'block' }).fault?.kind, 'system-call');
    assert.notEqual(run('cd 80', { rax: 1 }).fault, undefined);
    assert.notEqual(run('0f 34', { rax: 1 }).fault, undefined);
    assertUsable();
  });

  test('code that never ends is ended; one round of it is one instruction', () => {
    assert.equal(run('eb fe', {}, { extent: 'block' }).fault?.kind, 'endless');
    assert.deepEqual([run('eb fe').fault, run('eb fe').state.rip], [undefined, CODE]);
    assertUsable();
  });

  test('hostile code leaves it usable', () => {
    for (const rax of [0n, CODE + 1n, 0x7fff_ffff_f000n, 0x8000_0000_0000_0000n, 0xffff_ffff_ff60_0000n]) {
      run('ff e0', { rax }); // JMP RAX
      run('ff e0', { rax }, { extent: 'block' });
      run('48 89 c4', { rax }); // MOV RSP, RAX
      run('48 89 c4 50', { rax }, { extent: 'block' });
      run('48 89 c4 c3', { rax }, { extent: 'block' });
      run('8e e0', { rax }); // MOV FS, AX
      run('0f 01 ef', { rax }); // WRPKRU
    }
    assertUsable();
  });

  test('no case depends on the one before', () => {
    const code = fc.uint8Array({ minLength: 1, maxLength: 15 });
    const value = fc.oneof(fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }), fc.constant(BigInt(DATA)));
    const registers = fc
      .array(value, { minLength: 16, maxLength: 16 })
      .map((list) =>
        BigUint64Array.from(list, (each, number) => (number === 4 ? BigInt.asIntN(48, each) : each)),
      );
    const rflags = fc
      .bigInt({ min: 0n, max: RFLAGS_SETTABLE })
      .map((bits) => (bits & RFLAGS_SETTABLE) | RFLAGS_FIXED);
    const readBack = [{ address: DATA, lengthBytes: 64 }];
    const anyCase = fc.record({
      code,
      state: fc.record({ registers, rflags, rip: fc.constant(CODE) }),
      readBack: fc.constant(readBack),
      wantsFxsave: fc.boolean(),
    });
    const probe = makeCase(
      '0f 58 c1',
      { rax: 1, rbx: 2, rflags: RFLAGS_FIXED | CF },
      { readBack, wantsFxsave: true },
    );
    const expected = silicon.run(probe);
    fc.assert(
      fc.property(anyCase, (other) => {
        silicon.run(other);
        assert.deepEqual(silicon.run(probe), expected);
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  test('what lies outside is refused, and does no harm', () => {
    assert.throws(() => run('90', { rip: CODE_END }), RangeError);
    assert.throws(() => run('90', { rip: 0 }), RangeError);
    const memory = [{ address: DATA_END - 1, bytes: bytes('0000') }];
    assert.throws(() => run('90', {}, { memory }), RangeError);
    assert.throws(() => run('90', { rflags: 2 }), /RFLAGS 0x2/);
    assert.throws(() => run('90', { rsp: 0x8000_0000_0000n }), /RSP 0x800000000000/);
    assert.throws(() => run('90', { fsBase: 0x8000_0000_0000_0000n }), /PTRACE_SETREGS/);
    assertUsable();
  });
});

describe('32-bit code', {
  skip: skip || !has32Bit() ? 'the host has no 32-bit code segments' : false,
}, () => {
  test('INC EAX, and addresses of 32 bits', () => {
    using silicon = Silicon.open();
    const run = (hex: string, given: Given) => silicon.run(makeCase(hex, given, { mode: 32 }));
    const inc = run('40', { rax: 0xffff_ffff });
    assert.equal(register(inc, 'rax'), 0n);
    assert.equal(inc.state.rip, CODE + 1n);
    assert.deepEqual(run('8b 00', { rax: LAYOUT.unmappedGva }).fault?.address, BigInt(LAYOUT.unmappedGva));
    assert.equal(run('cd 80', { rax: 1 }).fault?.kind, 'system-call');
  });
});

function has32Bit(): boolean {
  using silicon = Silicon.open();
  return silicon.supports(32);
}

test('the process is gone when it is disposed of, or its tester killed', { skip }, async () => {
  const silicon = Silicon.open();
  assert.ok(existsSync(`/proc/${silicon.pid}`));
  silicon[Symbol.dispose]();
  silicon[Symbol.dispose]();
  assert.ok(!existsSync(`/proc/${silicon.pid}`));

  const module = new URL('silicon.ts', import.meta.url).href;
  const script = `const { Silicon } = await import('${module}'); console.log(Silicon.open().pid); setTimeout(() => {}, 1e6)`;
  const tester = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(tester.stdout, 'data');
  const pid = Number(String(line));
  assert.ok(existsSync(`/proc/${pid}`));
  tester.kill('SIGKILL');
  await once(tester, 'exit');
  for (let tries = 0; existsSync(`/proc/${pid}`) && tries < 500; tries++) await sleep(10);
  assert.ok(!existsSync(`/proc/${pid}`));
});
