/** The part of WebAssembly's JavaScript interface that is used here (W3C, WebAssembly JavaScript Interface, §5 "The WebAssembly Namespace"). */
declare namespace WebAssembly {
  interface MemoryDescriptor {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: boolean;
  }

  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: SharedArrayBuffer;
  }

  class Module {
    constructor(bytes: ArrayBufferView<ArrayBuffer>);
  }

  class Global<T extends 'i32' | 'i64'> {
    value: { readonly i32: number; readonly i64: bigint }[T];
  }

  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: Readonly<Record<string, unknown>>;
  }
}
