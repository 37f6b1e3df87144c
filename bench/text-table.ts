/** A table for a terminal or for Markdown. The first column is text, the others are figures. */

export type Row =
  | { readonly kind: 'cells'; readonly cells: readonly string[] }
  /** A line above the rows that belong together. */
  | { readonly kind: 'heading'; readonly text: string };

export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly Row[];
}

const GAP = '  ';
const INDENT = '  ';

export function renderText({ header, rows }: Table): string {
  const cellRows = rows.flatMap((row) => (row.kind === 'cells' ? [row.cells] : []));
  const widths = header.map((text, column) => {
    const indent = column === 0 ? INDENT.length : 0;
    return Math.max(text.length, ...cellRows.map((cells) => indent + (cells[column] ?? '').length));
  });
  const line = (cells: readonly string[]) =>
    widths
      .map((width, column) => {
        const cell = cells[column] ?? '';
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join(GAP)
      .trimEnd();
  const body = rows.map((row) =>
    row.kind === 'heading'
      ? `\n${row.text}`
      : line([`${INDENT}${row.cells[0] ?? ''}`, ...row.cells.slice(1)]),
  );
  return `${[line(header), ...body].join('\n')}\n`;
}

export function renderMarkdown({ header, rows }: Table): string {
  const line = (cells: readonly string[]) =>
    `| ${header.map((_, column) => escapeCell(cells[column] ?? '')).join(' | ')} |`;
  const rule = `|${header.map((_, column) => (column === 0 ? '---' : '---:')).join('|')}|`;
  const body = rows.map((row) => line(row.kind === 'heading' ? [`**${row.text}**`] : row.cells));
  return `${[line(header), rule, ...body].join('\n')}\n`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|');
}
