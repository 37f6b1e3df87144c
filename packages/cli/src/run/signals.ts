/** What signals mean to a VM: the power button first, the plug when somebody insists. */
export type SignalEnding =
  | { readonly kind: 'hangup' }
  /** Before the VM ran. */
  | { readonly kind: 'cancelled'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'forced'; readonly signal: NodeJS.Signals };

export interface SignalHandlers {
  /** The VM, once it runs. */
  readonly machine: () => { pressPowerButton(): void } | undefined;
  readonly say: (line: string) => void;
  readonly onEnding: (ending: SignalEnding) => void;
}

/** Linux's numbers of the signals that a parent may have had us ignore, as nohup and `sh -c 'vireo run &'` do. */
const MAY_BE_IGNORED = { SIGHUP: 1, SIGINT: 2 } as const;

/** Returns what takes the handlers away again. */
export function handleSignals({ machine, say, onEnding }: SignalHandlers): () => void {
  let pressed = false;
  const unplug = (signal: NodeJS.Signals) => onEnding({ kind: machine() ? 'forced' : 'cancelled', signal });
  const powerOff = (signal: NodeJS.Signals) => {
    const running = machine();
    if (pressed || !running) return unplug(signal);
    pressed = true;
    running.pressPowerButton();
    say('pressed the power button; a second signal ends the VM at once.');
  };
  const handlers: [NodeJS.Signals, (signal: NodeJS.Signals) => void][] = [
    ['SIGINT', powerOff],
    ['SIGTERM', powerOff],
    ['SIGHUP', () => onEnding({ kind: 'hangup' })],
    ['SIGQUIT', unplug],
  ];
  const ignored = ignoredSignals();
  const installed = handlers.filter(([signal]) => !(signal in MAY_BE_IGNORED && ignored.has(signal)));
  for (const [signal, handler] of installed) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of installed) process.off(signal, handler);
  };
}

/** proc_pid_status(5) SigIgn: a mask in hexadecimal, bit n - 1 for signal n. */
function ignoredSignals(): ReadonlySet<string> {
  const status = process.getBuiltinModule('node:fs').readFileSync('/proc/self/status', 'latin1');
  const mask = BigInt(`0x${/^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const names = Object.entries(MAY_BE_IGNORED).filter(([, number]) => mask & (1n << BigInt(number - 1)));
  return new Set(names.map(([name]) => name));
}
