/**
 * `node tools/record.ts`: makes docs/images/session.svg, a session with `vireo run` on the engine, from what a terminal
 * really showed. Only waits are shortened, and the image says so.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderSvg } from './record/svg.ts';
import { type Printed, RecordedTerminal } from './record/terminal.ts';
import { Transcript } from './record/transcript.ts';

const ROOT = join(import.meta.dirname, '..');
const COLUMNS = 100;
const ROWS = 28;
const TITLE = "a VM on Vireo's own x86-64 engine, without KVM; waits are shortened";

/** A shell, in which the session happens. */
const COMMAND = `env PATH="${join(ROOT, 'node_modules/.bin')}:$PATH" PS1='$ ' sh`;
const SHELL_PROMPT = /\n?\$ $/;
/** The guest's shell; busybox asks the terminal where the cursor is. */
const GUEST_PROMPT = /vireo:\S+# (\p{Cc}\[6n)?$/u;
const LIMIT_MS = 300_000;
/** Time to read what came. */
const PAUSE_MS = 1200;
/** Longer waits for what a program prints are cut to this; what is typed keeps its pace. */
const LONGEST_WAIT_MS = 10;

const SESSION: readonly { readonly type: string; readonly until: RegExp }[] = [
  { type: 'vireo run --accel wasm --cpus 2\r', until: GUEST_PROMPT },
  { type: 'uname -srvm\r', until: GUEST_PROMPT },
  { type: 'nproc\r', until: GUEST_PROMPT },
  { type: 'free -m\r', until: GUEST_PROMPT },
  { type: 'poweroff\r', until: SHELL_PROMPT },
];

async function record(): Promise<Printed[]> {
  process.chdir(ROOT);
  using terminal = new RecordedTerminal(COMMAND, COLUMNS, ROWS);
  await terminal.expect(SHELL_PROMPT, LIMIT_MS);
  // What comes before the prompt is not part of the session.
  terminal.printed.splice(0, terminal.printed.length, { text: '$ ', atMs: performance.now(), typed: true });
  for (const { type, until } of SESSION) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    await terminal.type(type);
    await terminal.expect(until, LIMIT_MS);
  }
  const session = [...terminal.printed];
  await terminal.type('exit\r');
  await terminal.end();
  return session;
}

function shortenWaits(printed: readonly Printed[]): Printed[] {
  let atMs = 0;
  let before = printed[0]!.atMs;
  return printed.map((print) => {
    const waitMs = print.atMs - before;
    atMs += print.typed ? waitMs : Math.min(waitMs, LONGEST_WAIT_MS);
    before = print.atMs;
    return { ...print, atMs };
  });
}

const transcript = new Transcript(COLUMNS);
for (const { text, atMs } of shortenWaits(await record())) transcript.print(text, atMs);
writeFileSync(
  join(ROOT, 'docs/images/session.svg'),
  renderSvg(transcript.lines, { columns: COLUMNS, rows: ROWS, title: TITLE }),
);
