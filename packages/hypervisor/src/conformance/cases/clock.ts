/** The VM's clock, and the guest's view of it: kvmclock (Linux, "KVM-specific MSRs", MSR_KVM_SYSTEM_TIME_NEW). */
import assert from 'node:assert/strict';
import { clockStateFormat } from '../../state-json.ts';
import { dword, eax, ecx, edi, edx, rdi } from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, reportEax } from '../guest-code.ts';
import { DATA } from '../guest-layout.ts';

const SECOND = 1_000_000_000n;

const forwards: ConformanceCase = {
  name: 'the clock only goes forwards, and at the pace of the host’s',
  run(t) {
    const { vm } = t.machine({ code: done });
    const startNs = process.hrtime.bigint();
    const first = vm.getClock().nanoseconds;
    let last = first;
    for (let i = 0; i < 1000; i++) {
      const { nanoseconds } = vm.getClock();
      assert.ok(nanoseconds >= last, `${nanoseconds} after ${last}`);
      last = nanoseconds;
    }
    assert.ok(last > first, 'it moves');
    const elapsed = process.hrtime.bigint() - startNs;
    assert.ok(last - first <= elapsed + SECOND / 100n, `${last - first} ns in ${elapsed} ns`);
  },
};

const set: ConformanceCase = {
  name: 'a clock that is set goes on from there, to and fro, and through its JSON form',
  run(t) {
    const { vm } = t.machine({ code: done });
    for (const nanoseconds of [1000n * SECOND, 5n * SECOND]) {
      vm.setClock(clockStateFormat.decode(clockStateFormat.encode({ version: 1, nanoseconds })));
      const { nanoseconds: now } = vm.getClock();
      assert.ok(now >= nanoseconds && now < nanoseconds + 60n * SECOND, `${now} after ${nanoseconds}`);
    }
  },
};

const SYSTEM_TIME_MSR = 0x4b564d01;

const guestView: ConformanceCase = {
  name: 'the guest’s kvmclock page shows the clock that was set, and follows it',
  needs: ['kvmclock'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(ecx, SYSTEM_TIME_MSR);
        a.mov(eax, DATA | 1);
        a.mov(edx, 0);
        a.wrmsr();
        a.mov(edi, DATA);
        a.mov(eax, dword(rdi)); // version
        reportEax(a);
        a.mov(eax, dword(rdi));
        reportEax(a);
        done(a);
      },
    });
    const systemTime = () => machine.memory.readU64(DATA + 16);
    const set = 12345n * SECOND;
    machine.vm.setClock({ version: 1, nanoseconds: set });
    const [version] = machine.finish({
      onReport(value, all) {
        if (all.length > 1) return;
        assert.equal(value & 1, 0, 'not in the middle of an update');
        assert.ok(systemTime() >= set - SECOND && systemTime() < set + 60n * SECOND, String(systemTime()));
        machine.vm.setClock({ version: 1, nanoseconds: set * 2n });
      },
    });
    assert.ok(version! > 0);
    assert.ok(systemTime() >= set * 2n - SECOND, String(systemTime()));
    assert.ok(machine.memory.readU32(DATA + 24) !== 0, 'a multiplier from TSC to nanoseconds');
  },
};

export const clockCases: readonly ConformanceCase[] = [forwards, set, guestView];
