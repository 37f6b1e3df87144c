import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderMarkdown, renderText, type Table } from './text-table.ts';

const TABLE: Table = {
  header: ['', 'median', 'of QEMU'],
  rows: [
    { kind: 'heading', text: 'start to end' },
    { kind: 'cells', cells: ['vireo', '12.5 ms', '0.50'] },
    { kind: 'cells', cells: ['QEMU a|b', '25 ms'] },
  ],
};

test('text: names to the left, figures to the right, no blanks at the ends of lines', () => {
  assert.equal(
    renderText(TABLE),
    [
      '             median  of QEMU',
      '',
      'start to end',
      '  vireo     12.5 ms     0.50',
      '  QEMU a|b    25 ms',
      '',
    ].join('\n'),
  );
});

test('Markdown: every row has every cell, and bars are escaped', () => {
  assert.equal(
    renderMarkdown(TABLE),
    [
      '|  | median | of QEMU |',
      '|---|---:|---:|',
      '| **start to end** |  |  |',
      '| vireo | 12.5 ms | 0.50 |',
      '| QEMU a\\|b | 25 ms |  |',
      '',
    ].join('\n'),
  );
});
