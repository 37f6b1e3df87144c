import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderSvg } from './svg.ts';
import { Transcript } from './transcript.ts';

function rendered(prints: readonly [string, number][], rows = 3): string {
  const transcript = new Transcript(20);
  for (const [text, atMs] of prints) transcript.print(text, atMs);
  return renderSvg(transcript.lines, { columns: 20, rows, title: 'a <title>' });
}

test('what came at once is one run, where its first character stands; markup is text', () => {
  const svg = rendered([['  <b> &\r\n', 0]]);
  assert.match(svg, /<text class="l" x="32.8" y="48" textLength="42.0">&#60;b&#62; &#38;<\/text>/);
  assert.match(svg, /<title>a &#60;title&#62;<\/title>/);
});

test('what came later is hidden until then', () => {
  const svg = rendered([
    ['a', 0],
    ['b', 1500],
  ]);
  assert.match(svg, />a<\/text><text [^>]*style="animation-duration:1.50s">b</);
});

test('the screen scrolls when it is full, and rests at its end', () => {
  assert.doesNotMatch(rendered([['1\n2\n3', 0]]), /@keyframes s/);
  const svg = rendered([
    ['1\n2\n3', 0],
    ['\n4', 1000],
    ['\n5', 2000],
  ]);
  assert.match(svg, /50\.000%\{transform:translate\(0,-19px\)\}100\.000%\{transform:translate\(0,-38px\)\}/);
  assert.match(svg, /animation:s 2\.00s step-end/);
  assert.match(svg, /<g id="s" transform="translate\(0 -38\)">/);
});
