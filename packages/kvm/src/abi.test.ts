/** Our numbers and the tests' layout against <linux/kvm.h>, as this machine's C compiler sees it. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as abi from './abi.ts';
import { KVM_LAYOUT } from './testing/kvm-layout.ts';

/** The oldest header that has everything: Debian 12's is of Linux 6.1. */
const OLDEST = [6, 1] as const;

interface FromC {
  constants: Record<string, string | null>;
  sizes: Record<string, number>;
  layout: Record<string, [number, number]>;
}

const constants = Object.entries(abi).filter(([name]) => name.startsWith('KVM_'));
const sizes = Object.entries(abi).filter(([name]) => name.startsWith('SIZEOF_'));
const structName = (name: string) => name.slice('SIZEOF_'.length).toLowerCase();

/** A C program that prints what the header says, as JSON; null for a constant that it does not know. */
function program(): string {
  const list = (lines: string[]) => lines.join('\n  puts(",");\n');
  const constant = (name: string) => `
#ifdef ${name}
  printf("\\"${name}\\": \\"%llu\\"", (unsigned long long)(unsigned)${name});
#else
  puts("\\"${name}\\": null");
#endif`;
  const size = (name: string) => `  printf("\\"${name}\\": %zu", sizeof(struct ${structName(name)}));`;
  const field = (name: string) => {
    const [, struct, path] = /^(\w+)\.(.*)$/.exec(name)!;
    const value = `offsetof(struct ${struct}, ${path}), sizeof(((struct ${struct} *)0)->${path})`;
    return `  printf("\\"${name}\\": [%zu, %zu]", ${value});`;
  };
  return `#include <stddef.h>
#include <stdio.h>
#include <linux/kvm.h>
int main(void) {
  puts("{ \\"constants\\": {");
${list(constants.map(([name]) => constant(name)))}
  puts("}, \\"sizes\\": {");
${list(sizes.map(([name]) => size(name)))}
  puts("}, \\"layout\\": {");
${list(Object.keys(KVM_LAYOUT).map(field))}
  puts("} }");
}`;
}

function missing(): string | undefined {
  const source = '#include <linux/kvm.h>\n#include <linux/version.h>\nLINUX_VERSION_CODE';
  const { status, stdout } = spawnSync('cc', ['-E', '-P', '-'], { input: source, encoding: 'utf8' });
  if (status === null) return 'no C compiler: apt-get install gcc libc6-dev';
  if (status !== 0) return 'no <linux/kvm.h>: apt-get install linux-libc-dev';
  const version = Number(stdout.trim().split('\n').at(-1));
  const [major, minor] = OLDEST;
  if (version < (major << 16) + (minor << 8)) return `<linux/kvm.h> is older than Linux ${OLDEST.join('.')}`;
  return undefined;
}

function compileAndRun(): FromC {
  const directory = mkdtempSync(join(tmpdir(), 'vireo-kvm-abi-'));
  try {
    writeFileSync(join(directory, 'abi.c'), program());
    execFileSync('cc', ['-o', 'abi', 'abi.c'], { cwd: directory });
    return JSON.parse(execFileSync(join(directory, 'abi'), { encoding: 'utf8' })) as FromC;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const reason = missing();
describe('KVM system interface', reason === undefined ? {} : { skip: reason }, () => {
  const fromC = reason === undefined ? compileAndRun() : undefined;

  test('every constant is the one of <linux/kvm.h>', () => {
    const expected = constants.map(([name, value]) => [name, String(value)]);
    assert.deepEqual(Object.entries(fromC!.constants), expected);
  });

  test('every structure has the size of its C original', () => {
    assert.deepEqual(fromC!.sizes, Object.fromEntries(sizes));
  });

  test('every field that the other tests use is where the C compiler puts it', () => {
    assert.deepEqual(fromC!.layout, KVM_LAYOUT);
  });
});

test('an ioctl with a structure carries its size in bits 16 to 29 (Linux, ioctl number encoding)', () => {
  const carriers = [
    ['KVM_SET_REGS', abi.KVM_SET_REGS, abi.SIZEOF_KVM_REGS],
    ['KVM_GET_SREGS', abi.KVM_GET_SREGS, abi.SIZEOF_KVM_SREGS],
    ['KVM_GET_XCRS', abi.KVM_GET_XCRS, abi.SIZEOF_KVM_XCRS],
    ['KVM_GET_LAPIC', abi.KVM_GET_LAPIC, abi.SIZEOF_KVM_LAPIC_STATE],
    ['KVM_GET_VCPU_EVENTS', abi.KVM_GET_VCPU_EVENTS, abi.SIZEOF_KVM_VCPU_EVENTS],
    ['KVM_GET_DEBUGREGS', abi.KVM_GET_DEBUGREGS, abi.SIZEOF_KVM_DEBUGREGS],
    ['KVM_SET_GUEST_DEBUG', abi.KVM_SET_GUEST_DEBUG, abi.SIZEOF_KVM_GUEST_DEBUG],
    ['KVM_GET_IRQCHIP', abi.KVM_GET_IRQCHIP, abi.SIZEOF_KVM_IRQCHIP],
    ['KVM_GET_PIT2', abi.KVM_GET_PIT2, abi.SIZEOF_KVM_PIT_STATE2],
    ['KVM_GET_CLOCK', abi.KVM_GET_CLOCK, abi.SIZEOF_KVM_CLOCK_DATA],
    ['KVM_ENABLE_CAP', abi.KVM_ENABLE_CAP, abi.SIZEOF_KVM_ENABLE_CAP],
  ] as const;
  for (const [name, request, size] of carriers) assert.equal((request >>> 16) & 0x3fff, size, name);
});
