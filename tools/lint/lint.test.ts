import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { findCycles, type Graph, lintCycles } from './cycles.ts';
import { lintLayers } from './layers.ts';
import { PACKAGES } from './policy.ts';
import type { Manifest, Project } from './project.ts';
import { lintSizes } from './sizes.ts';
import { parseSourceFile } from './source-file.ts';
import { forbiddenText } from './words.ts';

/** A project of one package with one file, `src/a.ts` unless named otherwise. */
function project(
  name: string,
  text: string,
  { dependencies = {}, file = 'src/a.ts' }: { dependencies?: Record<string, string>; file?: string } = {},
): Project {
  const directory = `packages/${name.replace('@vireo/', '')}`;
  const manifest: Manifest = { name, dependencies };
  const files = [parseSourceFile(`${directory}/${file}`, text)];
  const root: Manifest = { name: 'workspace', devDependencies: { 'fast-check': '1' } };
  return { manifest: root, packages: [{ name, directory, manifest, files }], otherFiles: [] };
}

const messages = (it: Project) => lintLayers(it).map(({ line, message }) => `${line}: ${message}`);

describe('layers', () => {
  const kvm = { '@vireo/kvm': '*' };

  for (const text of [
    `import { x } from '@vireo/kvm';`,
    `import type { X } from '@vireo/kvm';`,
    `import '@vireo/kvm/deep';`,
    `export * from '@vireo/kvm';`,
    `export type { X } from '@vireo/kvm';`,
    `const x = await import('@vireo/kvm');`,
    `type X = import('@vireo/kvm').X;`,
  ])
    test(`refuses ${text} in devices`, () => {
      const found = messages(project('@vireo/devices', text, { dependencies: kvm }));
      assert.match(found[0]!, /^1: @vireo\/devices must not import @vireo\/kvm \(it may: /);
      assert.match(found[1]!, /must not depend on @vireo\/kvm/);
    });

  test('allows what the table allows', () => {
    const text = `import type { X } from '@vireo/spec';`;
    assert.deepEqual(messages(project('@vireo/devices', text, { dependencies: { '@vireo/spec': '*' } })), []);
  });

  test('an import in a comment or a string is none', () => {
    const text = `// import { x } from '@vireo/kvm';\nconst s = "import '@vireo/kvm'";`;
    assert.deepEqual(messages(project('@vireo/devices', text)), []);
  });

  test('what is imported is declared, and what is declared is imported', () => {
    const undeclared = messages(project('@vireo/devices', `import '@vireo/spec';`));
    assert.match(undeclared.join(), /imported but not a dependency in packages\/devices\/package.json/);
    const unused = messages(project('@vireo/devices', '', { dependencies: { '@vireo/spec': '*' } }));
    assert.match(unused.join(), /@vireo\/spec is a dependency but never imported/);
  });

  test('tests may import any of our packages and the development dependencies, nothing else', () => {
    const text = `import '@vireo/kvm'; import 'fast-check'; import 'node:test'; import '../../kvm/src/x.ts';`;
    assert.deepEqual(messages(project('@vireo/devices', text, { file: 'src/a.test.ts' })), []);
    const other = messages(project('@vireo/devices', `import 'left-pad';`, { file: 'src/a.test.ts' }));
    assert.match(other.join(), /left-pad is imported by a test/);
  });

  test('koffi is for linux and kvm alone, even in tests', () => {
    const dependencies = { koffi: '1' };
    assert.deepEqual(messages(project('@vireo/linux', `import 'koffi';`, { dependencies })), []);
    for (const file of ['src/a.ts', 'src/a.test.ts']) {
      const found = messages(project('@vireo/vmm', `import 'koffi';`, { dependencies, file }));
      assert.match(found.join(), /only @vireo\/linux and @vireo\/kvm may import koffi/);
    }
  });

  test('nothing of Node in what runs in a browser', () => {
    for (const name of ['@vireo/guest-memory', '@vireo/virtio', '@vireo/devices', '@vireo/x86-engine']) {
      assert.match(messages(project(name, `import 'node:fs';`)).join(), /must not import node:fs of Node/);
      assert.match(messages(project(name, `\nBuffer.alloc(1);`)).join(), /^2: .* must not use Node's Buffer/);
    }
    assert.deepEqual(
      messages(project('@vireo/devices', `const x = y.process; const z = { process: 1 };`)),
      [],
    );
    assert.deepEqual(messages(project('@vireo/vmm', `import 'node:fs'; process.exit();`)), []);
  });

  test('relative imports stay in the package, and out of its tests', () => {
    assert.match(
      messages(project('@vireo/vmm', `import '../../kvm/src/x.ts';`)).join(),
      /leaves the package/,
    );
    assert.match(messages(project('@vireo/vmm', `import './x.test.ts';`)).join(), /is for tests only/);
    const worker = `new Worker(new URL('../../kvm/src/worker.ts', import.meta.url));`;
    assert.match(messages(project('@vireo/vmm', worker)).join(), /leaves the package/);
  });

  test('a package that the table does not know is refused', () => {
    assert.match(messages(project('@vireo/misc', '')).join(), /not in the table/);
  });

  test('the table itself has no cycles and names only packages it has', () => {
    const table: Graph = new Map(Object.entries(PACKAGES).map(([name, { may }]) => [name, new Set(may)]));
    assert.deepEqual(findCycles(table), []);
    for (const name of Object.values(PACKAGES).flatMap((it) => it.may)) assert.ok(name in PACKAGES, name);
  });
});

describe('cycles', () => {
  const files = (texts: Record<string, string>): Project => ({
    ...project('@vireo/vmm', ''),
    otherFiles: Object.entries(texts).map(([path, text]) => parseSourceFile(path, text)),
  });

  test('files of one package, through types too', () => {
    const found = lintCycles(
      files({
        'a.ts': `import './b.ts';`,
        'b.ts': `import type { C } from './c.ts';`,
        'c.ts': `import './a.ts';`,
      }),
    );
    assert.deepEqual(
      found.map((it) => it.message),
      ['import cycle: a.ts → b.ts → c.ts → a.ts'],
    );
  });

  test('a worker that imports types from the file that starts it is no cycle', () => {
    const start = `new Worker(new URL('./b.ts', import.meta.url));`;
    assert.deepEqual(lintCycles(files({ 'a.ts': start, 'b.ts': `import type { A } from './a.ts';` })), []);
  });

  test('packages by what they import or declare', () => {
    const vmm = project('@vireo/vmm', `import '@vireo/kvm';`);
    const kvm = project('@vireo/kvm', '', { dependencies: { '@vireo/vmm': '*' } });
    const both: Project = { ...vmm, packages: [...vmm.packages, ...kvm.packages] };
    assert.match(lintCycles(both)[0]!.message, /@vireo\/kvm → @vireo\/vmm → @vireo\/kvm/);
  });

  test('findCycles reports none in any graph whose edges go one way, and every cycle is one', () => {
    const edges = fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 30 });
    const graphOf = (pairs: [number, number][]): Graph => {
      const graph = new Map<string, Set<string>>();
      for (let node = 0; node < 10; node++) graph.set(`${node}`, new Set());
      for (const [from, to] of pairs) graph.get(`${from}`)!.add(`${to}`);
      return graph;
    };
    fc.assert(
      fc.property(edges, (pairs) => {
        const forward = pairs.filter(([from, to]) => from < to);
        assert.deepEqual(findCycles(graphOf(forward)), []);
        const graph = graphOf(pairs);
        const found = findCycles(graph);
        for (const cycle of found)
          cycle.forEach((node, i) => {
            assert.ok(graph.get(node)!.has(cycle[(i + 1) % cycle.length]!));
          });
        // Without the nodes of the cycles found, nothing is left that could be one.
        const rest = pairs.filter((pair) => !pair.some((node) => found.flat().includes(`${node}`)));
        assert.deepEqual(findCycles(graphOf(rest)), []);
      }),
    );
  });
});

describe('house rules', () => {
  test('long functions are named, with their length', () => {
    const body = '  f();\n'.repeat(50);
    const text = `const shown = () => {\n${body}};\nclass C {\n  method() {\n${body}  }\n}\n`;
    assert.deepEqual(
      lintSizes(project('@vireo/vmm', text)).map((it) => `${it.line}: ${it.message}`),
      ['1: shown has 52 lines (40 at most)', '54: method has 52 lines (40 at most)'],
    );
    assert.deepEqual(lintSizes(project('@vireo/vmm', text, { file: 'src/a.test.ts' })), []);
  });

  test('long files', () => {
    assert.match(lintSizes(project('@vireo/vmm', 'f();\n'.repeat(401)))[0]!.message, /^401 lines/);
    assert.deepEqual(lintSizes(project('@vireo/vmm', 'f();\n'.repeat(400))), []);
  });

  test('paths of one machine and notes to self', () => {
    const refused = [
      `cd /work/main`,
      `'/work'`,
      `/root/.cache`,
      `// TODO later`,
      `// @ts-ignore`,
      `test.only(`,
    ];
    for (const text of refused) assert.equal(forbiddenText('a.ts', text).length, 1, text);
    const fine = [
      `./work/x`,
      `/workspace`,
      `import './worker.ts'`,
      `HOME=/root`,
      `mkdtemp('XXXXXX')`,
      `a/work/b`,
    ];
    for (const text of fine) assert.deepEqual(forbiddenText('a.ts', text), [], text);
  });
});
