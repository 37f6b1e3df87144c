/** The engine in a process of Linux: guest memory is a file's, mapped over the engine's own (mmap(2), MAP_FIXED). */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Hypervisor, MemorySlot } from '@vireo/hypervisor';
import { addressOf, HostError, mmap } from '@vireo/linux';
import { Engine, type EngineHost } from '@vireo/x86-engine/engine';
import { MEMORY_LIMITS } from '@vireo/x86-engine/memory-map';
import { THREAD } from './vcpu.ts';

const BESIDE = new URL('./', import.meta.url);
const ENOMEM = 12;
const PAGES_PER_GIB = 2 ** 14;
const PACKAGES = pathToFileURL(join(import.meta.dirname, '../../', '/'));
/** What the interpreter is made from. */
const SOURCES = ['x86-isa/src/', 'x86-engine/src/'];

let modules: EngineHost['modules'] | undefined;

/** Opens the engine. @throws Error when it was not built */
export async function openEngine(): Promise<Hypervisor> {
  modules ??= {
    interpreter: await loadInterpreter(),
    float80: new WebAssembly.Module(readBuilt('float80')),
    memoryUnit: await loadMemoryUnit(),
  };
  return new Engine({ modules, thread: THREAD, allocate, map, unmap });
}

/** As it was built, unless its sources have changed since: then it is made anew, for this process. */
async function loadInterpreter(): Promise<WebAssembly.Module> {
  const isBundled = existsSync(new URL('interpreter.wasm', BESIDE));
  if (isBundled || isNewerThanSources(new URL('x86-engine/gen/interpreter.wasm', PACKAGES)))
    return new WebAssembly.Module(readBuilt('interpreter'));
  const { makeInterpreter } = await import('@vireo/x86-engine/interpreter/interpreter-module');
  return new WebAssembly.Module(makeInterpreter(MEMORY_LIMITS));
}

/** It has the engine's layout in it. */
async function loadMemoryUnit(): Promise<WebAssembly.Module> {
  const layout = new URL('x86-engine/gen/layout.ts', PACKAGES);
  if (!existsSync(new URL('memory-unit.wasm', BESIDE)) && existsSync(layout)) {
    const { assemblyLayout } = await import('@vireo/x86-engine/assembly-layout');
    if (readFileSync(layout, 'utf8') !== assemblyLayout())
      throw new Error('the engine was built for another layout of its memory: run npm run build');
  }
  return new WebAssembly.Module(readBuilt('memory-unit'));
}

/** Beside this file in the bundle; else where the build puts them. */
function readBuilt(name: string): Uint8Array<ArrayBuffer> {
  for (const url of [new URL(`${name}.wasm`, BESIDE), new URL(`x86-engine/gen/${name}.wasm`, PACKAGES)])
    if (existsSync(url)) return new Uint8Array(readFileSync(url));
  throw new Error(`the engine's ${name}.wasm is missing: run npm run build`);
}

function isNewerThanSources(built: URL): boolean {
  if (!existsSync(built)) return false;
  const { mtimeMs } = statSync(built);
  return SOURCES.every((source) => {
    const directory = new URL(source, PACKAGES);
    return readdirSync(directory, { recursive: true, withFileTypes: true }).every(
      (entry) => !entry.isFile() || statSync(join(entry.parentPath, entry.name)).mtimeMs < mtimeMs,
    );
  });
}

/** It takes addresses only; V8 says of no other reason for a refusal. @throws HostError */
function allocate(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new HostError('mmap', ENOMEM, {
      subject: `of the engine's ${pages / PAGES_PER_GIB} GiB of addresses`,
      advice: 'Raise the limit on the address space of this process (ulimit -v).',
    });
  }
}

function map(memory: WebAssembly.Memory, address: number, slot: MemorySlot): void {
  const { backing, backingOffset, sizeBytes } = slot;
  if (backing.fd < 0) throw new RangeError(`memory slot ${slot.id} is not of a file, which the engine needs`);
  mmap({
    ...{ lengthBytes: sizeBytes, fd: backing.fd, offsetBytes: backing.fdOffset + backingOffset },
    fixedAtHva: hvaOf(memory, address),
  });
}

/** Fresh memory, which takes none of the host's until it is touched. */
function unmap(memory: WebAssembly.Memory, address: number, sizeBytes: number): void {
  mmap({ lengthBytes: sizeBytes, fixedAtHva: hvaOf(memory, address), noReserve: true });
}

const hvaOf = (memory: WebAssembly.Memory, address: number): number =>
  addressOf(new Uint8Array(memory.buffer, 0, 1)) + address;
