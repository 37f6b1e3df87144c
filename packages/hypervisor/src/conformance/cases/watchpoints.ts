/** Watchpoints, the debugger's and the guest's own (Intel SDM Vol. 3B §17.2 "Debug Registers"). */
import assert from 'node:assert/strict';
import type { DebugRegisters } from '../../vcpu-state.ts';
import {
  type Assembler,
  al,
  byte,
  dr0,
  dr6,
  dr7,
  dword,
  eax,
  ebx,
  esi,
  qword,
  rax,
  rsp,
  word,
} from '../assembler.ts';
import type { ConformanceCase } from '../conformance-case.ts';
import { done, report, reportEax, reportWide, wideReports } from '../guest-code.ts';
import { CODE, DATA } from '../guest-layout.ts';
import { address, DB, DR6_HITS, stop } from './debug-stop.ts';

interface Watched {
  readonly lengthBytes: 1 | 2 | 4 | 8;
  readonly memory: typeof byte;
}

const LENGTHS: readonly Watched[] = [
  { lengthBytes: 1, memory: byte },
  { lengthBytes: 2, memory: word },
  { lengthBytes: 4, memory: dword },
  { lengthBytes: 8, memory: qword },
];

function watchpoint({ lengthBytes, memory }: Watched, condition: 'write' | 'read-write'): ConformanceCase {
  return {
    name: `a ${condition} watchpoint of ${lengthBytes} bytes stops after the access, and not beside it`,
    needs: ['hardware-debug'],
    run(t) {
      const watched = DATA + 0x40;
      const machine = t.machine({
        code(a) {
          a.mov(ebx, 7);
          a.mov(byte(watched - 1), 1);
          a.mov(byte(watched + lengthBytes), 1);
          a.mov(eax, dword(watched + lengthBytes)); // beside it
          a.mov(al, byte(watched));
          a.label('read');
          a.inc(memory(watched));
          a.label('written');
          a.mov(byte(watched + lengthBytes - 1), 3);
          a.label('last byte');
          done(a);
        },
      });
      const breakpoint = { address: BigInt(watched), condition, lengthBytes };
      machine.cpu.setGuestDebug({ hardwareBreakpoints: [breakpoint] });
      const labels = condition === 'write' ? ['written', 'last byte'] : ['read', 'written', 'last byte'];
      for (const label of labels) {
        const exit = stop(machine);
        assert.equal(exit.pc, address(machine, label));
        assert.equal(exit.dr6 & DR6_HITS, 1n);
      }
      machine.expectDone();
    },
  };
}

const fourAtOnce: ConformanceCase = {
  name: 'four watchpoints at once: DR6 names the one that was hit',
  needs: ['hardware-debug'],
  run(t) {
    const machine = t.machine({
      code(a) {
        for (const i of [2, 0, 3, 1]) a.mov(dword(DATA + i * 16), i);
        done(a);
      },
    });
    machine.cpu.setGuestDebug({
      hardwareBreakpoints: [0, 1, 2, 3].map((i) => {
        return { address: BigInt(DATA + i * 16), condition: 'write', lengthBytes: 4 };
      }),
    });
    for (const i of [2, 0, 3, 1]) assert.equal(stop(machine).dr6 & DR6_HITS, BigInt(1 << i));
    machine.expectDone();
  },
};

/** A #DB handler that reports DR6 and where it happened, and clears DR6. */
function debugHandler(a: Assembler): void {
  a.label('debug');
  a.push(rax);
  a.mov(rax, dr6);
  a.and(eax, 0xe00f);
  reportEax(a);
  a.mov(rax, qword(rsp, 8));
  reportEax(a);
  a.mov(eax, 0);
  a.mov(dr6, rax);
  a.pop(rax);
  a.iret();
}

const guestRegisters: ConformanceCase = {
  name: 'the guest’s own watchpoint is its own #DB, with DR6',
  needs: ['hardware-debug'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(eax, DATA);
        a.mov(dr0, rax);
        a.mov(eax, 0x000d0402); // DR0 global, writes, 4 bytes
        a.mov(dr7, rax);
        a.mov(dword(DATA), eax);
        a.label('after');
        report(a, 0x600d);
        done(a);
        debugHandler(a);
      },
      vectors: { [DB]: 'debug' },
    });
    assert.deepEqual(machine.finish(), [1, machine.program.address('after'), 0x600d]);
    const { addresses, dr7: control } = machine.cpu.getDebugRegisters();
    assert.equal(addresses[0], BigInt(DATA));
    assert.equal(control, 0xd0402n);
  },
};

const hostSets: ConformanceCase = {
  name: 'debug registers that the host sets are the guest’s, and work',
  needs: ['hardware-debug'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rax, dr0);
        reportEax(a);
        a.mov(rax, dr7);
        reportEax(a);
        a.mov(esi, 0);
        a.label('here');
        a.inc(esi);
        report(a, 0x600d);
        done(a);
        a.label('debug');
        report(a, DB);
        done(a);
      },
      vectors: { [DB]: 'debug' },
    });
    const here = machine.program.address('here');
    const { cpu } = machine;
    const registers = cpu.getDebugRegisters();
    cpu.setDebugRegisters({ ...registers, addresses: [BigInt(here), 1n, 2n, 3n], dr7: 0x402n });
    assert.deepEqual(cpu.getDebugRegisters().addresses, [BigInt(here), 1n, 2n, 3n]);
    assert.deepEqual(machine.finish(), [here, 0x402, DB]);
  },
};

const roundTrip: ConformanceCase = {
  name: 'debug registers go both ways between host and guest',
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(rax, dr0);
        reportWide(a, rax);
        a.mov(rax, 0x1234_5678_9000n);
        a.mov(dr0, rax);
        done(a);
      },
    });
    const { cpu } = machine;
    const registers = cpu.getDebugRegisters();
    assert.equal(registers.dr7 & 0xffn, 0n, 'none is enabled after reset');
    const addresses: DebugRegisters['addresses'] = [0xffff_8000_0000_1000n, 1n, 2n, 3n];
    cpu.setDebugRegisters({ ...registers, addresses });
    assert.deepEqual(cpu.getDebugRegisters().addresses, addresses);
    assert.deepEqual(wideReports(machine.finish()), [addresses[0]]);
    assert.deepEqual(cpu.getDebugRegisters().addresses, [0x1234_5678_9000n, 1n, 2n, 3n]);
  },
};

const debuggerLeaves: ConformanceCase = {
  name: 'the guest’s debug registers are back when the debugger is gone',
  needs: ['hardware-debug'],
  run(t) {
    const machine = t.machine({
      code(a) {
        a.mov(dword(DATA + 0x100), eax); // the debugger's watchpoint
        a.label('stopped');
        a.mov(dword(DATA), eax); // the guest's
        done(a);
        debugHandler(a);
      },
      vectors: { [DB]: 'debug' },
    });
    const { cpu } = machine;
    const registers = cpu.getDebugRegisters();
    cpu.setDebugRegisters({ ...registers, addresses: [BigInt(DATA), 0n, 0n, 0n], dr7: 0x000d0402n });
    cpu.setGuestDebug({
      hardwareBreakpoints: [{ address: BigInt(DATA + 0x100), condition: 'write', lengthBytes: 4 }],
    });
    assert.equal(stop(machine).pc, address(machine, 'stopped'));
    assert.equal(cpu.getRegisters().rip, BigInt(machine.program.address('stopped')));
    cpu.setGuestDebug({});
    const [hits, at] = machine.finish();
    assert.equal(hits, 1);
    assert.ok(at! > CODE);
  },
};

export const watchpointCases: readonly ConformanceCase[] = [
  ...LENGTHS.flatMap((length) => [watchpoint(length, 'write'), watchpoint(length, 'read-write')]),
  fourAtOnce,
  roundTrip,
  guestRegisters,
  hostSets,
  debuggerLeaves,
];
