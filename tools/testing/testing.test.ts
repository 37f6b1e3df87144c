import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { TestGroup } from './plan.ts';
import { Report } from './report.ts';
import { runGroup } from './run-group.ts';

const root = new URL('../..', import.meta.url).pathname;

const FILES = {
  'mixed.test.ts': `
    import { describe, it, test } from 'node:test';
    test('passes', () => console.log('hello'));
    test('skipped', { skip: 'no cheese' }, () => {});
    describe('outer', () => {
      it('passes too', () => {});
      describe('inner', () => it('fails', () => { throw new Error('boom'); }));
    });
    test('with subtests', async (t) => { await t.test('sub', () => { throw new Error('below'); }); });`,
  'good.test.ts': `import { test } from 'node:test'; test('good', () => {});`,
  'noting.test.ts': `
    import { test } from 'node:test';
    test('notes', (t) => t.diagnostic('12 of 12'));`,
  'empty.test.ts': `export {};`,
  'crash.test.ts': `process.exit(3);`,
  'syntax.test.ts': `this is no TypeScript`,
};

describe('npm test', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'vireo-testing-'));
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(directory, name), text);
  });
  after(() => rmSync(directory, { recursive: true }));

  const run = async (names: string[], { launcher = [process.execPath], namePattern = '' } = {}) => {
    const lines: string[] = [];
    const report = new Report(directory, (line) => lines.push(stripVTControlCharacters(line)));
    const files = names.map((name) => join(directory, name));
    const group: TestGroup = { where: 'host', name: 'tests', files, concurrency: 2, launcher };
    await runGroup(group, root, namePattern || undefined, report);
    report.end();
    return { lines, output: lines.join('\n'), failed: report.failed };
  };

  test('counts each test once and says why it failed or was skipped', async () => {
    const { lines, output } = await run(['mixed.test.ts', 'good.test.ts']);
    assert.equal(lines.at(-1), '3 passed, 2 failed, 1 skipped');
    assert.match(output, /✗ mixed\.test\.ts: outer\.inner › fails\n {4}Error: boom/);
    assert.match(output, /It printed:\n {4}hello/);
    assert.match(output, /✗ mixed\.test\.ts: with subtests › sub\n {4}Error: below/);
    assert.match(output, /1 skipped: no cheese/);
    assert.match(output, /^✗ mixed\.test\.ts 2 passed, 2 failed, 1 skipped/m);
  });

  test('what a test notes is printed when it passes, too', async () => {
    const { lines } = await run(['noting.test.ts']);
    assert.match(lines[0]!, /^✓ noting\.test\.ts 1 passed/);
    assert.deepEqual(lines.slice(1), ['    12 of 12', '1 passed, 0 failed']);
  });

  test('a file without tests, one that crashes and one that cannot be read are failures', async () => {
    const { lines, output } = await run(['empty.test.ts', 'crash.test.ts', 'syntax.test.ts']);
    assert.equal(lines.at(-1), '0 passed, 3 failed');
    assert.match(output, /It has no tests/);
    assert.match(output, /ended with exit status 3/);
    assert.match(output, /SyntaxError/);
  });

  test('a name pattern may leave files without tests', async () => {
    const { lines } = await run(['good.test.ts', 'mixed.test.ts'], { namePattern: '^good$' });
    assert.equal(lines.at(-1), '1 passed, 0 failed');
  });

  test('a launcher that fails before any test is a failure', async () => {
    const { lines, output } = await run(['good.test.ts'], { launcher: ['false'] });
    assert.equal(lines.at(-1), '0 passed, 1 failed');
    assert.match(output, /ended early, with exit status 1/);
    assert.match((await run(['good.test.ts'], { launcher: ['true'] })).output, /0 passed, 1 failed/);
  });
});
