/** As many vCPUs as there can be, each opened and run in its turn by one thread. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Vcpu } from '@vireo/hypervisor';
import { type Assembler, assemble, eax, ecx, edx } from '@vireo/hypervisor/conformance/assembler';
import { openEngine } from './index.ts';
import { MemoryFiles } from './testing/memory-files.ts';

const VCPUS = 64;
const CODE = 0x9000;
const MEMORY_BYTES = 0x10000;
const PORT = 0x80;

const IA32_APIC_BASE = 0x1b;
const X2APIC_AND_ENABLE = 0xc00;
const IA32_X2APIC_APICID = 0x802;
const IA32_X2APIC_ICR = 0x830;
const INIT_ALL_BUT_SELF = 0xc_4500;
const STARTUP_ALL_BUT_SELF = 0xc_4600 | (CODE >> 12);

/** Real mode. Each says its id; the first then starts the others. */
function guest(a: Assembler): void {
  a.mov(ecx, IA32_APIC_BASE);
  a.rdmsr();
  a.or(eax, X2APIC_AND_ENABLE);
  a.wrmsr();
  a.mov(ecx, IA32_X2APIC_APICID);
  a.rdmsr();
  a.out(PORT, eax);
  a.mov(edx, 0);
  a.mov(ecx, IA32_X2APIC_ICR);
  for (const command of [INIT_ALL_BUT_SELF, STARTUP_ALL_BUT_SELF]) {
    a.mov(eax, command);
    a.wrmsr();
  }
  a.out(PORT, eax);
}

/** What the vCPU writes next to the port. */
function said(vcpu: Vcpu): number {
  const exit = vcpu.run();
  assert.equal(exit.kind, 'io');
  return exit.kind === 'io' ? exit.data.getUint32(0, true) : -1;
}

describe('a VM of 64 vCPUs', async () => {
  const files = new MemoryFiles();
  const backing = files.allocate(MEMORY_BYTES);
  const vm = (await openEngine()).createVm({ interruptControllers: 'in-kernel' });
  after(() => {
    vm.close();
    files.free(backing);
  });

  test('INIT and SIPI start all others, each with its own x2APIC id and registers', () => {
    new Uint8Array(backing.buffer).set(assemble({ origin: CODE, bits: 16 }, guest).bytes, CODE);
    vm.setMemorySlot({ id: 0, gpa: 0, sizeBytes: MEMORY_BYTES, backing, backingOffset: 0 });
    const vcpus = Array.from({ length: VCPUS }, (_, id) => vm.createVcpu(id).open());
    for (const vcpu of vcpus) vcpu.setCpuid([X2APIC_LEAF]);
    const [boot, ...others] = vcpus;
    const special = boot!.getSpecialRegisters();
    boot!.setSpecialRegisters({ ...special, cs: { ...special.cs, selector: 0, base: 0n } });
    boot!.setRegisters({ ...boot!.getRegisters(), rip: BigInt(CODE) });
    assert.equal(said(boot!), 0);
    assert.deepEqual(
      others.map((vcpu) => vcpu.getMpState()),
      others.map(() => 'uninitialized'),
    );
    assert.equal(said(boot!), STARTUP_ALL_BUT_SELF);
    assert.deepEqual(
      others.map(said),
      others.map(({ id }) => id),
    );
    for (const { id } of others) assert.equal(vcpus[id]!.getRegisters().rcx, BigInt(IA32_X2APIC_APICID));
  });

  test('another is refused', () => {
    assert.throws(() => vm.createVcpu(VCPUS), RangeError);
  });
});

/** CPUID.01H:ECX[21] is x2APIC. */
const X2APIC_LEAF = { leaf: 1, subleaf: null, eax: 0, ebx: 0, ecx: 1 << 21, edx: 1 << 9 };
