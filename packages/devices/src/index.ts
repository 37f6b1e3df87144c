export { Bus, type BusRange } from './bus.ts';
export { allOnes, type InterruptLine, type IoDevice } from './io-device.ts';
