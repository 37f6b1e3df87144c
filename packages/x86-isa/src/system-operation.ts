/**
 * What the system's side of the processor does for an instruction: operations on control registers, descriptors, MSRs,
 * ports and the like, which no value of the builder can express. An instruction's semantics calls them by name
 * (`Builder.system`); `a` and `b` below are what it gives, 64 bits each.
 */
export const SYSTEM_OPERATIONS = [
  // Registers. a: number; b: value.
  ...(['readControlRegister', 'writeControlRegister', 'readDebugRegister', 'writeDebugRegister'] as const),
  ...(['clearTaskSwitched', 'storeMachineStatus', 'loadMachineStatus'] as const),
  ...([
    'readMsr',
    'writeMsr',
    'readTsc',
    'readTscAndId',
    'readProcessorId',
    'readPerformanceCounter',
  ] as const),
  ...(['readExtendedControl', 'writeExtendedControl', 'cpuid'] as const),
  /** a: 0 of FS, 1 of GS; b: value. */
  ...(['readSegmentBase', 'writeSegmentBase', 'swapGs'] as const),
  // RFLAGS. a: value.
  ...(['readFlags', 'writeFlags', 'setInterruptFlag', 'clearInterruptFlag', 'setAccessFlag'] as const),
  // Segments, by the number that encodes them: ES, CS, SS, DS, FS, GS. b: selector.
  ...(['readSelector', 'loadSegment'] as const),
  /** a: number; b: linear address of an offset of the operand size and a selector. Gives the offset. */
  'loadFarPointer',
  // Descriptor tables. a: linear address.
  ...(['loadGdt', 'loadIdt', 'storeGdt', 'storeIdt'] as const),
  // a: selector.
  ...(['loadLdt', 'storeLdt', 'loadTaskRegister', 'storeTaskRegister'] as const),
  ...(['verifyRead', 'verifyWrite'] as const),
  /** a: selector; b: what is given when it is not accessible. */
  ...(['loadAccessRights', 'loadSegmentLimit'] as const),
  /** a, b: selectors; gives the adjusted one. */
  'adjustPrivilege',
  // Control transfers. a: selector << 32 | offset; or the linear address of such a pointer, offset first.
  ...(['farJump', 'farCall', 'farJumpIndirect', 'farCallIndirect'] as const),
  /** a: bytes of parameters. */
  'farReturn',
  'interruptReturn',
  /** a: vector. */
  'softwareInterrupt',
  ...(['breakpoint', 'overflow', 'debugTrap'] as const),
  ...(['systemCall', 'systemReturn', 'systemEnter', 'systemExit'] as const),
  // Ports. a: port; b: value. Of INS and OUTS, a says the size in bytes.
  ...(['readPort', 'writePort', 'readPortString', 'writePortString'] as const),
  // Caches and translations. a: linear address; b: register operand of INVPCID.
  ...(['invalidatePage', 'invalidateProcessContext', 'invalidateCaches'] as const),
  ...(['halt', 'monitor', 'monitorWait', 'hypercall'] as const),
  /** a: frame size; b: nesting level. */
  'enter',
  ...(['pushAll', 'popAll'] as const),
  /** a: index; b: linear address of the bounds. */
  'checkBounds',
] as const;

export type SystemOperation = (typeof SYSTEM_OPERATIONS)[number];
