import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  decodeWaitStatus,
  HostError,
  NT_X86_XSTATE,
  Tracee,
  USER_REGISTER_COUNT,
  USER_REGISTERS,
} from './index.ts';

const PROGRAM = '/bin/sleep';
const SYS_GETPID = 39;
const SYS_KILL = 62;
const SIGUSR1 = 10;
const SIGTRAP = 5;

/** Stopped, with the instruction at RIP replaced by these bytes. */
function traceeAt(code: bigint): { tracee: Tracee; rip: number } {
  const tracee = Tracee.spawn(PROGRAM, ['10']);
  const registers = new BigUint64Array(USER_REGISTER_COUNT);
  tracee.getRegisters(registers);
  const rip = Number(registers[USER_REGISTERS.rip]);
  tracee.poke(rip, code);
  registers[USER_REGISTERS.origRax] = 0xffff_ffff_ffff_ffffn; // it may have been asleep, and must not go on with it
  tracee.setRegisters(registers);
  return { tracee, rip };
}

/** Why the tests cannot run here, if they cannot. */
function refusal(): string | false {
  try {
    Tracee.spawn(PROGRAM, ['10'])[Symbol.dispose]();
    return false;
  } catch (error) {
    if (error instanceof HostError) return `ptrace is not allowed here: ${error.message}`;
    throw error;
  }
}

const SYSCALL = 0x050fn;
const skip = refusal();

test('a tracee makes system calls, and is gone when disposed of', { skip }, () => {
  const { tracee, rip } = traceeAt(SYSCALL);
  assert.equal(tracee.systemCall(rip, SYS_GETPID), tracee.pid);
  assert.equal(tracee.systemCall(rip, SYS_KILL, tracee.pid, 999), -22);
  // A signal that becomes due during the call is dropped and does not count as the end of the step.
  assert.equal(tracee.systemCall(rip, SYS_KILL, tracee.pid, SIGUSR1), 0);
  assert.equal(tracee.systemCall(rip, SYS_GETPID), tracee.pid);
  assert.match(
    readFileSync(`/proc/${tracee.pid}/status`, 'utf8'),
    new RegExp(`^TracerPid:\t${process.pid}$`, 'm'),
  );
  tracee[Symbol.dispose]();
  tracee[Symbol.dispose]();
  assert.equal(existsSync(`/proc/${tracee.pid}`), false);
});

test('registers are what was set, and a step changes what the instruction changes', { skip }, () => {
  const { tracee, rip } = traceeAt(0xc3_01_48n); // add rbx, rax
  using _ = tracee;
  const registers = new BigUint64Array(USER_REGISTER_COUNT);
  tracee.getRegisters(registers);
  registers[USER_REGISTERS.rax] = 0xffff_ffff_ffff_fff0n;
  registers[USER_REGISTERS.rbx] = 0x20n;
  tracee.setRegisters(registers);
  assert.deepEqual(tracee.resume('step'), { kind: 'signal', signal: SIGTRAP });
  const after = new BigUint64Array(USER_REGISTER_COUNT);
  tracee.getRegisters(after);
  assert.equal(after[USER_REGISTERS.rbx], 0x10n);
  assert.equal(after[USER_REGISTERS.rip], BigInt(rip + 3));
  assert.equal(after[USER_REGISTERS.rflags]! & 1n, 1n);
});

test('a system call that is not to be made is not made', { skip }, () => {
  const { tracee, rip } = traceeAt(SYSCALL);
  using _ = tracee;
  const registers = new BigUint64Array(USER_REGISTER_COUNT);
  tracee.getRegisters(registers);
  registers[USER_REGISTERS.rax] = BigInt(SYS_GETPID);
  registers[USER_REGISTERS.rip] = BigInt(rip);
  for (const mode of ['step-without-calls', 'continue-without-calls'] as const) {
    tracee.setRegisters(registers);
    assert.deepEqual(tracee.resume(mode), { kind: 'system-call' });
  }
});

test('a fault stops it with a signal that says what and where', { skip }, () => {
  const { tracee } = traceeAt(0x00_00_00_00_25_04_8b_48n); // mov rax, [0]
  using _ = tracee;
  assert.deepEqual(tracee.resume('continue'), { kind: 'signal', signal: 11 });
  assert.deepEqual(tracee.getSignalInfo(), { signal: 11, code: 1, address: 0n });
});

test('register sets can be read in part and written', { skip }, () => {
  const { tracee } = traceeAt(SYSCALL);
  using _ = tracee;
  const whole = tracee.getRegisterSet(NT_X86_XSTATE).slice();
  assert.ok(whole.length >= 576, `${whole.length} bytes`);
  whole[160] = 0xa5; // XMM0
  whole[512]! |= 3; // XSTATE_BV: x87 and SSE are not in their initial state
  tracee.setRegisterSet(NT_X86_XSTATE, whole);
  const legacy = tracee.getRegisterSet(NT_X86_XSTATE, 512);
  assert.equal(legacy.length, 512);
  assert.equal(legacy[160], 0xa5);
});

test('a program that is not there is ENOENT', () => {
  assert.throws(() => Tracee.spawn('/nowhere/at/all'), { call: 'posix_spawn', code: 'ENOENT' });
});

test('wait statuses: exits, signals, system calls, events', () => {
  assert.deepEqual(decodeWaitStatus(0x0300), { kind: 'ended', status: 0x0300 });
  assert.deepEqual(decodeWaitStatus(9), { kind: 'ended', status: 9 });
  assert.deepEqual(decodeWaitStatus(0x0b7f), { kind: 'signal', signal: 11 });
  assert.deepEqual(decodeWaitStatus(0x857f), { kind: 'system-call' });
  assert.deepEqual(decodeWaitStatus(0x80_057f), { kind: 'event', event: 128 });
});
