import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Transcript } from './transcript.ts';

function textOf(transcript: Transcript): string[] {
  return transcript.lines.map(({ cells }) => cells.map(({ character }) => character).join(''));
}

function printed(text: string, columns = 20): string[] {
  const transcript = new Transcript(columns);
  transcript.print(text, 0);
  return textOf(transcript);
}

test('lines end at a new line, and wrap when they are full', () => {
  assert.deepEqual(printed('one\r\ntwo\r\n'), ['one', 'two', '']);
  assert.deepEqual(printed('123456', 4), ['1234', '56']);
  assert.deepEqual(printed('1234\r\n5', 4), ['1234', '5']);
});

test('carriage return, backspace, tab and erasing edit the line', () => {
  assert.deepEqual(printed('abc\rX'), ['Xbc']);
  assert.deepEqual(printed('abc\b \b'), ['ab ']);
  assert.deepEqual(printed('abc\b\x1b[K'), ['ab']);
  assert.deepEqual(printed('a\tb'), ['a       b']);
  assert.deepEqual(printed('abc\x1b[2DX\x1b[CY'), ['aXcY']);
});

test('other sequences leave no trace, also when they come in pieces', () => {
  const transcript = new Transcript(20);
  for (const piece of ['# \x1b', '[6', 'n', 'ls\x1b[?2004h\x1b=', '\x1b[1;31mred'])
    transcript.print(piece, 0);
  assert.deepEqual(textOf(transcript), ['# lsred']);
});

test('each character keeps the time when it was written last, and whether it is dim', () => {
  const transcript = new Transcript(20);
  transcript.print('ab\x1b[2mc\x1b[0m', 1);
  transcript.print('d\r\n', 2);
  transcript.print('\x1b[2me', 3);
  const [first, second] = transcript.lines;
  assert.deepEqual(
    first!.cells.map(({ atMs, dim }) => [atMs, dim]),
    [
      [1, false],
      [1, false],
      [1, true],
      [2, false],
    ],
  );
  assert.deepEqual([second!.sinceMs, second!.cells[0]], [2, { character: 'e', dim: true, atMs: 3 }]);
});

test('property: whatever is printed, in whatever pieces, no line is too long and pieces do not matter', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'b', '\r', '\n', '\b', '\t', '\x1b', '[', '2', 'K', 'C', 'm'),
  });
  fc.assert(
    fc.property(fc.array(text), (pieces) => {
      const inPieces = new Transcript(7);
      for (const piece of pieces) inPieces.print(piece, 0);
      assert.ok(textOf(inPieces).every((line) => line.length <= 7));
      assert.deepEqual(textOf(inPieces), printed(pieces.join(''), 7));
    }),
  );
});
