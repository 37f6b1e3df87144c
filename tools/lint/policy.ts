/** Which way the code may point: DESIGN.md "Layout and direction" as a table. */

export interface PackagePolicy {
  /** Packages of ours that its sources may import; its tests may import any. */
  readonly may: readonly string[];
  /** Runs in a browser too: nothing of Node, neither modules nor globals. */
  readonly withoutNode?: true;
}

const ACCELERATORS = ['@vireo/kvm', '@vireo/engine-host'];
const MACHINE = ['@vireo/devices', '@vireo/virtio', '@vireo/block', '@vireo/net', '@vireo/boot'];
const FOUNDATION = ['@vireo/spec', '@vireo/guest-memory', '@vireo/hypervisor'];

export const PACKAGES: Readonly<Record<string, PackagePolicy>> = {
  '@vireo/spec': { may: [], withoutNode: true },
  '@vireo/errors': { may: [], withoutNode: true },
  '@vireo/linux': { may: [] },
  '@vireo/guest-memory': { may: ['@vireo/spec'], withoutNode: true },
  '@vireo/hypervisor': { may: ['@vireo/spec', '@vireo/guest-memory'] },
  '@vireo/kvm': { may: [...FOUNDATION, '@vireo/linux'] },
  '@vireo/x86-isa': { may: [], withoutNode: true },
  '@vireo/x86-engine': { may: [...FOUNDATION, '@vireo/x86-isa'], withoutNode: true },
  '@vireo/engine-host': { may: [...FOUNDATION, '@vireo/linux', '@vireo/x86-engine'] },
  '@vireo/devices': { may: ['@vireo/spec', '@vireo/guest-memory'], withoutNode: true },
  '@vireo/block': { may: ['@vireo/spec', '@vireo/linux'] },
  '@vireo/net': { may: ['@vireo/spec', '@vireo/linux'] },
  // Block and net back ends reach virtio as interfaces of its own, handed over by vmm.
  '@vireo/virtio': { may: ['@vireo/spec', '@vireo/guest-memory', '@vireo/devices'], withoutNode: true },
  '@vireo/boot': { may: [...FOUNDATION, '@vireo/errors'] },
  '@vireo/vmm': { may: [...FOUNDATION, ...ACCELERATORS, ...MACHINE, '@vireo/linux', '@vireo/errors'] },
  '@vireo/images': { may: ['@vireo/spec', '@vireo/errors'] },
  vireo: { may: ['@vireo/vmm', '@vireo/images', '@vireo/linux', '@vireo/errors'] },
};

/** Dependencies that only these packages may import, in tests too. */
export const RESERVED: Readonly<Record<string, readonly string[]>> = {
  // FFI can crash the process or corrupt it: it stays where it is reviewed as such.
  koffi: ['@vireo/linux', '@vireo/kvm'],
};

/** What exists in Node and not in the language or every browser. */
export const NODE_GLOBALS: ReadonlySet<string> = new Set([
  'Buffer',
  'process',
  'global',
  'require',
  '__dirname',
  '__filename',
  'setImmediate',
  'clearImmediate',
]);

export const MAX_FILE_LINES = 400;
export const MAX_FUNCTION_LINES = 40;
