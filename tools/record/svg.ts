/**
 * A transcript as an SVG image that plays once: lines appear when they were printed, and the screen scrolls. Whoever
 * shows no animation, or wants none, sees the last screen (SVG 2, CSS Animations Level 1).
 */
import type { Cell, Line } from './transcript.ts';

export interface Look {
  readonly columns: number;
  readonly rows: number;
  readonly title: string;
}

const FONT_PX = 14;
const COLUMN_PX = 8.4;
const LINE_PX = 19;
const MARGIN_PX = 16;
const TITLE_PX = 34;
/** Closer together than a person can see. */
const SAME_TIME_MS = 30;

export function renderSvg(lines: readonly Line[], look: Look): string {
  const width = Math.ceil(look.columns * COLUMN_PX) + 2 * MARGIN_PX;
  const height = look.rows * LINE_PX + TITLE_PX + MARGIN_PX;
  const last = Math.max(0, lines.length - look.rows);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" xml:space="preserve" font-size="${FONT_PX}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace">
<title>${escapeXml(look.title)}</title>
<style>
text{fill:#d8dee6;white-space:pre}
.d{fill:#8b949e}
@keyframes h{from,to{visibility:hidden}}
@media (prefers-reduced-motion:no-preference){.l{animation:h 0s}}
${scrollStyle(lines, look.rows)}
</style>
<clipPath id="c"><rect x="0" y="${TITLE_PX}" width="${width}" height="${look.rows * LINE_PX + 4}"/></clipPath>
<rect width="${width}" height="${height}" rx="8" fill="#14181d"/>
<text class="d" x="${width / 2}" y="${TITLE_PX - 12}" text-anchor="middle">${escapeXml(look.title)}</text>
<g clip-path="url(#c)"><g id="s" transform="translate(0 ${-last * LINE_PX})">
${lines.map(renderLine).filter(Boolean).join('\n')}
</g></g>
</svg>
`;
}

/** The screen's position over time. Printed faster than anybody can see, lines scroll together. */
function scrollStyle(lines: readonly Line[], rows: number): string {
  const endMs = lines.at(-1)!.sinceMs;
  const steps: { atMs: number; top: number }[] = [{ atMs: 0, top: 0 }];
  for (let index = rows; index < lines.length; index++) {
    const { sinceMs } = lines[index]!;
    const previous = steps.at(-1)!;
    const top = index - rows + 1;
    if (sinceMs - previous.atMs < SAME_TIME_MS) previous.top = top;
    else steps.push({ atMs: sinceMs, top });
  }
  if (endMs === 0 || steps.length === 1) return '';
  const frames = steps.map(({ atMs, top }) => {
    return `${((100 * atMs) / endMs).toFixed(3)}%{transform:translate(0,${-top * LINE_PX}px)}`;
  });
  return `@keyframes s{${frames.join('')}}\n@media (prefers-reduced-motion:no-preference){#s{animation:s ${seconds(endMs)} step-end}}`;
}

function renderLine({ cells }: Line, index: number): string {
  const runs = runsOf(cells);
  const y = TITLE_PX + (index + 1) * LINE_PX - 5;
  return runs.map((run) => renderRun(run, y)).join('');
}

interface Run {
  readonly column: number;
  readonly dim: boolean;
  readonly atMs: number;
  text: string;
}

/** Neighbours that look alike and came together. */
function runsOf(cells: readonly Cell[]): Run[] {
  const runs: Run[] = [];
  for (const [column, { character, dim, atMs }] of cells.entries()) {
    const run = runs.at(-1);
    if (run && run.dim === dim && Math.abs(atMs - run.atMs) < SAME_TIME_MS) run.text += character;
    else runs.push({ column, dim, atMs, text: character });
  }
  return runs.filter(({ text }) => text.trim() !== '');
}

/** The width is given, so that columns stay columns in any monospaced font. */
function renderRun({ column, dim, atMs, text }: Run, y: number): string {
  const shown = text.trim();
  const x = MARGIN_PX + (column + text.search(/\S/)) * COLUMN_PX;
  const length = (shown.length * COLUMN_PX).toFixed(1);
  const style = atMs > 0 ? ` style="animation-duration:${seconds(atMs)}"` : '';
  return `<text class="l${dim ? ' d' : ''}" x="${x.toFixed(1)}" y="${y}" textLength="${length}"${style}>${escapeXml(shown)}</text>`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)}s`;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${character.codePointAt(0)};`);
}
