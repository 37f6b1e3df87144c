export * from './uart16550.ts';
