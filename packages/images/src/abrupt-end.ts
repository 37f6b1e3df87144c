/** What has to be undone when a signal ends the process, or it exits, in the middle of something. */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const actions = new Set<() => void>();

/** Has `undo` run, once and synchronously, should the process end before the returned function is called. */
export function onAbruptEnd(undo: () => void): () => void {
  if (actions.size === 0) watch();
  actions.add(undo);
  return () => {
    actions.delete(undo);
    if (actions.size === 0) unwatch();
  };
}

function undoAll(): void {
  // The latest first, as with nested `finally` blocks.
  for (const undo of [...actions].reverse()) undo();
  actions.clear();
  unwatch();
}

function endBySignal(signal: NodeJS.Signals): void {
  undoAll();
  // With no other listener the signal now does what it would have done without us.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

function watch(): void {
  process.on('exit', undoAll);
  for (const signal of SIGNALS) process.on(signal, endBySignal);
}

function unwatch(): void {
  process.off('exit', undoAll);
  for (const signal of SIGNALS) process.off(signal, endBySignal);
}
