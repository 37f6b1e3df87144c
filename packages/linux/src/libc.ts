/**
 * The C library of this process, reached through koffi's native module.
 *
 * Nothing is loaded when this file is imported: the module is opened by the first call, and each C function is
 * looked up by its own first call. koffi's JavaScript entry point takes 15 ms (it reads Node's ELF headers and
 * wraps deprecated calls); the native module alone takes 2 ms and has all that is used here. This package imports no
 * Node modules statically either: an ES import of node:fs takes 8 ms, in each thread, and of node:util 3 ms, since it
 * reads every export; process.getBuiltinModule takes nothing.
 *
 * Addresses are numbers: Linux gives x86-64 processes 47 bits unless they ask for more, and a double holds 53.
 */ import type koffi from 'koffi';

/** What may be passed for a pointer: an address, or memory whose address is taken for the length of the call. */
export type Pointer = number | bigint | NodeJS.ArrayBufferView | null;

type NativeFunction = (...args: never[]) => unknown;

/** The part of koffi that this package uses (koffi.dev, "Loading libraries", "Pointers"). */
type Koffi = Pick<typeof koffi, 'load' | 'view' | 'address'>;

interface Libc {
  native: Koffi;
  library: ReturnType<Koffi['load']>;
  /** The C `errno` of this thread. */
  errno: Int32Array;
}

const NATIVE_MODULE = 'node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node';

let loaded: Libc | undefined;

function libc(): Libc {
  if (loaded === undefined) {
    const native = loadKoffi();
    const library = native.load(null); // the symbols of the process, glibc's among them
    const errnoLocation = library.func('intptr_t __errno_location()') as () => number;
    // Reading a view takes 5 ns; koffi.errno() is one more native call, 500 ns. It must exist before the first call
    // that can fail, since making it could change errno.
    loaded = { native, library, errno: new Int32Array(native.view(errnoLocation(), 4)) };
  }
  return loaded;
}

function loadKoffi(): Koffi {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`Vireo runs on x86-64 Linux, not on ${process.platform}-${process.arch}`);
  }
  const path = findNativeModule();
  if (path === undefined) {
    // Some other layout of packages: koffi's own entry point knows how to find its native module.
    return process.getBuiltinModule('node:module').createRequire(import.meta.url)('koffi') as Koffi;
  }
  const native: { exports: unknown } = { exports: {} };
  process.dlopen(native, path);
  return native.exports as Koffi;
}

/** Node's own search for a package, without the package.json files: it is one stat for each parent directory. */
function findNativeModule(): string | undefined {
  const { existsSync } = process.getBuiltinModule('node:fs');
  const { dirname } = process.getBuiltinModule('node:path');
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    const path = `${directory === '/' ? '' : directory}/${NATIVE_MODULE}`;
    if (existsSync(path)) return path;
    if (directory === '/') return undefined;
  }
}

/** Looks a C function up now; the result is koffi's own function, with nothing between it and the caller. */
export function bind<F extends NativeFunction>(prototype: string): F {
  return libc().library.func(prototype) as unknown as F;
}

/** A C function that is looked up when it is first called. */
export function lazily<F extends NativeFunction>(prototype: string): F {
  let native: F | undefined;
  const call = (...args: Parameters<F>): unknown => {
    native ??= bind<F>(prototype);
    return native(...args);
  };
  return call as F;
}

/** The error number of the last C call of this thread that failed; read it before any other call. */
export function errno(): number {
  return libc().errno[0]!;
}

/** The address of a C function or variable. */
export function symbolAddress(name: string): number {
  return Number(libc().library.symbol(name));
}

/**
 * An ArrayBuffer over memory that is already mapped. Nothing checks the range, and nothing keeps it mapped: use
 * `Mapping` where this process made the mapping, and this for memory that another thread mapped.
 *
 * V8 counts the length as memory of its own, and collects garbage once for each view of 64 MiB or more (3 to 7 ms with
 * an empty heap): make large views early, one for a whole mapping, and keep them.
 */
export function viewMemory(hva: number, lengthBytes: number): ArrayBuffer {
  return libc().native.view(hva, lengthBytes);
}

/**
 * The address of an array's first byte. It stays good for memory outside V8's heap only: views of mappings, of
 * WebAssembly memory and of shared buffers; V8 may move others.
 */
export function addressOf(view: NodeJS.ArrayBufferView): number {
  return Number(libc().native.address(view));
}
