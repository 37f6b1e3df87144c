/** What the host bridge knows of a function. */
export interface PciFunction {
  readonly name: string;
  /** `offset` and `sizeBytes` stay inside one aligned 32-bit register. */
  configRead(offset: number, sizeBytes: number): number;
  configWrite(offset: number, sizeBytes: number, value: number): void;
  /** Conventional reset: all registers to their defaults. */
  reset(): void;
}
