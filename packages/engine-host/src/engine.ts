/** The engine in a process of Linux: guest memory is a file's, mapped over the engine's own (mmap(2), MAP_FIXED). */
import { existsSync, readFileSync } from 'node:fs';
import type { Hypervisor, MemorySlot } from '@vireo/hypervisor';
import { addressOf, mmap } from '@vireo/linux';
import { Engine, type EngineHost } from '@vireo/x86-engine/engine';
import { THREAD } from './vcpu.ts';

/** Beside this file in the bundle; else where the build puts them. */
const PLACES = ['./', '../../x86-engine/gen/'];

let modules: Pick<EngineHost, 'interpreter' | 'float80'> | undefined;

/** Opens the engine. @throws Error when it was not built */
export function openEngine(): Hypervisor {
  modules ??= { interpreter: loadModule('interpreter'), float80: loadModule('float80') };
  return new Engine({ ...modules, thread: THREAD, map, unmap });
}

function loadModule(name: string): WebAssembly.Module {
  for (const place of PLACES) {
    const url = new URL(`${place}${name}.wasm`, import.meta.url);
    if (existsSync(url)) return new WebAssembly.Module(readFileSync(url));
  }
  throw new Error(`the engine's ${name}.wasm is missing: run npm run build`);
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
