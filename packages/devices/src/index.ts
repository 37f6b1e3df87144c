export { Bus, type BusRange } from './bus.ts';
export { allOnes, type InterruptLine, type IoDevice } from './io-device.ts';
export { SavedStateError } from './saved-state.ts';
export { Uart16550, type Uart16550Options } from './uart16550.ts';
export type { Uart16550State } from './uart16550-state.ts';
