/** Import cycles, between packages and between the files of one: strongly connected components of the graph. */
import { posix } from 'node:path';
import { packageNameOf } from './layers.ts';
import type { Finding, Project } from './project.ts';

/** Node → where it points. */
export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

export function lintCycles(project: Project): Finding[] {
  const fileCycles = findCycles(fileGraph(project)).map((cycle) => ({
    path: cycle[0]!,
    line: 1,
    message: `import cycle: ${[...cycle, cycle[0]].join(' → ')}`,
  }));
  const packageCycles = findCycles(packageGraph(project)).map((cycle) => ({
    path: `${project.packages.find((pkg) => pkg.name === cycle[0])!.directory}/package.json`,
    line: 1,
    message: `packages depend on each other: ${[...cycle, cycle[0]].join(' → ')}`,
  }));
  return [...packageCycles, ...fileCycles];
}

function fileGraph(project: Project): Graph {
  const files = [...project.packages.flatMap((pkg) => pkg.files), ...project.otherFiles];
  return new Map(
    files.map((file) => {
      const relative = file.imports.filter((it) => it.via === 'import' && it.specifier.startsWith('.'));
      return [file.path, new Set(relative.map((it) => posix.join(posix.dirname(file.path), it.specifier)))];
    }),
  );
}

function packageGraph(project: Project): Graph {
  return new Map(
    project.packages.map((pkg) => {
      const sources = pkg.files.filter((file) => !file.path.endsWith('.test.ts'));
      const imports = sources.flatMap((file) => file.imports.map((it) => packageNameOf(it.specifier)));
      return [pkg.name, new Set([...imports, ...Object.keys(pkg.manifest.dependencies ?? {})])];
    }),
  );
}

/** One shortest cycle for each node set that can reach itself; each cycle once, from its first name on. */
export function findCycles(graph: Graph): string[][] {
  const reported = new Set<string>();
  const cycles: string[][] = [];
  for (const start of [...graph.keys()].sort()) {
    if (reported.has(start)) continue;
    const cycle = shortestCycle(graph, start);
    if (!cycle || cycle.some((node) => reported.has(node))) continue;
    for (const node of cycle) reported.add(node);
    cycles.push(cycle);
  }
  return cycles;
}

function shortestCycle(graph: Graph, start: string): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const node of queue) {
    for (const next of graph.get(node) ?? []) {
      if (next === start) return pathTo(node, cameFrom);
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, node);
      queue.push(next);
    }
  }
  return undefined;
}

function pathTo(end: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const path = [end];
  for (let node = cameFrom.get(end); node !== undefined; node = cameFrom.get(node)) path.unshift(node);
  return path;
}
