/** What the lints need to know of one TypeScript file: its imports, its Node globals, its sizes. */
import type { ArrowFunctionExpression, Function as AstFunction, Node as AstNode } from 'oxc-parser';
import { parseSync, Visitor, type VisitorObject } from 'oxc-parser';
import { NODE_GLOBALS } from './policy.ts';

export interface ImportedModule {
  readonly specifier: string;
  readonly line: number;
  /** 'url' for `new URL('./worker.ts', import.meta.url)`: another thread runs it, so it is no cycle. */
  readonly via: 'import' | 'url';
}

export interface FunctionSize {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

export interface NodeGlobal {
  readonly name: string;
  readonly line: number;
}

export interface SourceFile {
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly ImportedModule[];
  readonly nodeGlobals: readonly NodeGlobal[];
  readonly functions: readonly FunctionSize[];
}

type LineOf = (offset: number) => number;

/** @throws when the text is not TypeScript. */
export function parseSourceFile(path: string, text: string): SourceFile {
  const { program, errors } = parseSync(path, text);
  const [error] = errors;
  if (error) throw new SyntaxError(`${path}: ${error.message}`);
  const lineOf = lineFinder(text);
  const imports: ImportedModule[] = [];
  const nodeGlobals: NodeGlobal[] = [];
  const functions: FunctionSize[] = [];
  for (const visitor of [
    importVisitor(imports, lineOf),
    functionVisitor(functions, lineOf),
    globalVisitor(nodeGlobals, text, lineOf),
  ])
    new Visitor(visitor).visit(program);
  return { path, lines: lineOf(text.trimEnd().length), imports, nodeGlobals, functions };
}

function importVisitor(imports: ImportedModule[], lineOf: LineOf): VisitorObject {
  const add = (source: AstNode | null, via: ImportedModule['via']) => {
    if (source?.type === 'Literal' && typeof source.value === 'string')
      imports.push({ specifier: source.value, line: lineOf(source.start), via });
  };
  return {
    ImportDeclaration: (node) => add(node.source, 'import'),
    ExportAllDeclaration: (node) => add(node.source, 'import'),
    ExportNamedDeclaration: (node) => add(node.source, 'import'),
    ImportExpression: (node) => add(node.source, 'import'),
    TSImportType: (node) => add(node.source, 'import'),
    NewExpression({ callee, arguments: [location, base] }) {
      const isUrl = callee.type === 'Identifier' && callee.name === 'URL';
      if (isUrl && location && base?.type === 'MemberExpression') add(location, 'url');
    },
  };
}

function functionVisitor(functions: FunctionSize[], lineOf: LineOf): VisitorObject {
  /** Start of a function expression → the name of what holds it. */
  const names = new Map<number, string>();
  const add = (node: AstFunction | ArrowFunctionExpression) => {
    const line = lineOf(node.start);
    const name = ('id' in node && node.id?.name) || names.get(node.start) || 'a function';
    functions.push({ name, line, lines: lineOf(node.end) - line + 1 });
  };
  return {
    MethodDefinition: ({ key, value }) => {
      names.set(value.start, 'name' in key && typeof key.name === 'string' ? key.name : 'a method');
    },
    VariableDeclarator({ id, init }) {
      if (init && id.type === 'Identifier') names.set(init.start, id.name);
    },
    FunctionDeclaration: add,
    FunctionExpression: add,
    ArrowFunctionExpression: add,
  };
}

function globalVisitor(nodeGlobals: NodeGlobal[], text: string, lineOf: LineOf): VisitorObject {
  return {
    Identifier({ name, start, end }) {
      if (NODE_GLOBALS.has(name) && !isPropertyName(text, start, end))
        nodeGlobals.push({ name, line: lineOf(start) });
    },
  };
}

/** `x.process` and `process:` name a property, not the global. */
function isPropertyName(text: string, start: number, end: number): boolean {
  return (
    /\.\s*$/.test(text.slice(Math.max(0, start - 20), start)) || /^\??\s*:/.test(text.slice(end, end + 20))
  );
}

function lineFinder(text: string): LineOf {
  const starts = [0];
  for (let i = text.indexOf('\n'); i !== -1; i = text.indexOf('\n', i + 1)) starts.push(i + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
