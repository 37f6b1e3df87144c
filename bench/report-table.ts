/** A report for people: its figures as one table, and what they were taken on. */
import { describeEnvironment } from './environment.ts';
import {
  type Comparison,
  type Measurement,
  type Report,
  type Summary,
  summarise,
  type Unit,
} from './report.ts';
import { type Row, renderMarkdown, renderText, type Table } from './text-table.ts';

/** Below this median, one and two decimals say something. */
const DECIMALS: readonly [below: number, decimals: number][] = [
  [10, 2],
  [100, 1],
];

export function reportAsText(report: Report): string {
  return [...context(report), '', renderText(reportTable(report))].join('\n');
}

export function reportAsMarkdown(report: Report): string {
  return [...context(report).map((line) => `- ${line}`), '', renderMarkdown(reportTable(report))].join('\n');
}

function context({ environment, notes, failures = [] }: Report): string[] {
  return [...describeEnvironment(environment), ...notes, ...failures];
}

export function reportTable({ measurements }: Report): Table {
  const references = [...new Set(measurements.flatMap((measurement) => measurement.references))];
  return {
    header: ['', 'median', 'min – max', 'pairs', ...references.map((name) => `÷ ${name} (of pairs)`)],
    rows: measurements.flatMap((measurement) => rowsOf(measurement, references)),
  };
}

function rowsOf(measurement: Measurement, references: readonly string[]): Row[] {
  const cells = (summary: Summary): Row => ({
    kind: 'cells',
    cells: [
      summary.subject,
      `${formatFigure(summary.median)} ${measurement.unit}`,
      `${formatFigure(summary.min, summary.median)} – ${formatFigure(summary.max, summary.median)}`,
      `${summary.samples.length}`,
      ...references.map((name) => formatComparison(summary, name, measurement.unit)),
    ],
  });
  return [{ kind: 'heading', text: measurement.name }, ...summarise(measurement).map(cells)];
}

/** 0.95 (0.93 – 0.98): the medians' ratio and the range of the pairs'. */
function formatComparison({ comparisons }: Summary, reference: string, unit: Unit): string {
  const found = comparisons.find((comparison) => comparison.reference === reference);
  if (found === undefined) return '';
  const { ofMedians, perPair } = found;
  const ratios = `${ofMedians.toFixed(2)} (${perPair.min.toFixed(2)} – ${perPair.max.toFixed(2)})`;
  return unit === 'µs' ? `${formatDifference(found)}  ${ratios}` : ratios;
}

function formatDifference({ difference }: Comparison): string {
  return `${difference < 0 ? '−' : '+'}${formatFigure(Math.abs(difference))} µs`;
}

/** With as many decimals as tell something; `like` decides for all figures of a row. */
export function formatFigure(value: number, like = value): string {
  const decimals = DECIMALS.find(([below]) => Math.abs(like) < below)?.[1] ?? 0;
  return value.toFixed(decimals);
}
