/** The layer lint: every import points the way that the policy allows, and package.json says the same. */
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { PACKAGES, RESERVED } from './policy.ts';
import type { Finding, Project, WorkspacePackage } from './project.ts';
import type { ImportedModule, SourceFile } from './source-file.ts';

export function lintLayers(project: Project): Finding[] {
  const findings: Finding[] = [];
  for (const pkg of project.packages) {
    if (!PACKAGES[pkg.name]) {
      const message = `package ${pkg.name} is not in the table of tools/lint/policy.ts`;
      findings.push({ path: `${pkg.directory}/package.json`, line: 1, message });
      continue;
    }
    for (const file of pkg.files) findings.push(...lintFile(project, pkg, file));
    findings.push(...lintManifest(pkg));
  }
  for (const file of project.otherFiles) findings.push(...lintReserved(file, undefined));
  return findings;
}

/** Tests, and what only tests load, may import more. */
export function isTest(path: string): boolean {
  return /\.test\.ts$|\/(testing|fixtures)\/|\/test-[^/]+\.ts$/.test(path);
}

/** 'a/b' of '@vireo/x/y', and so on: what package.json would name. */
export function packageNameOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function lintFile(project: Project, pkg: WorkspacePackage, file: SourceFile): Finding[] {
  const findings = lintReserved(file, pkg.name);
  for (const imported of file.imports) {
    const message = refusal(project, pkg, file, imported);
    if (message) findings.push({ path: file.path, line: imported.line, message });
  }
  if (PACKAGES[pkg.name]?.withoutNode && !isTest(file.path)) {
    for (const { name, line } of file.nodeGlobals)
      findings.push({ path: file.path, line, message: `${pkg.name} must not use Node's ${name}` });
  }
  return findings;
}

/** Why this import is not allowed, if it is not. */
function refusal(
  project: Project,
  pkg: WorkspacePackage,
  file: SourceFile,
  { specifier, via }: ImportedModule,
): string | undefined {
  if (specifier.startsWith('.')) return relativeRefusal(pkg, file, specifier);
  if (via === 'url') return undefined; // a URL of the network, not a module
  const name = packageNameOf(specifier);
  if (name === pkg.name) return `import ${specifier} by a relative path`;
  if (isTest(file.path)) return testRefusal(project, pkg, specifier);
  const { may, withoutNode } = PACKAGES[pkg.name]!;
  if (isBuiltin(specifier))
    return withoutNode ? `${pkg.name} must not import ${specifier} of Node` : undefined;
  if (name in PACKAGES && !may.includes(name))
    return `${pkg.name} must not import ${name} (it may: ${may.join(', ') || 'nothing of ours'})`;
  if (name in (pkg.manifest.dependencies ?? {})) return undefined;
  return `${name} is imported but not a dependency in ${pkg.directory}/package.json`;
}

function testRefusal(project: Project, pkg: WorkspacePackage, specifier: string): string | undefined {
  const name = packageNameOf(specifier);
  if (isBuiltin(specifier) || name in PACKAGES) return undefined;
  const { dependencies, devDependencies } = pkg.manifest;
  if (name in { ...dependencies, ...devDependencies, ...project.manifest.devDependencies }) return undefined;
  return `${name} is imported by a test but no (development) dependency`;
}

function relativeRefusal(pkg: WorkspacePackage, file: SourceFile, specifier: string): string | undefined {
  const target = posix.join(posix.dirname(file.path), specifier);
  if (!target.startsWith(`${pkg.directory}/`) && !isTest(file.path)) return `${specifier} leaves the package`;
  if (isTest(target) && !isTest(file.path)) return `${specifier} is for tests only`;
  return undefined;
}

function lintReserved(file: SourceFile, packageName: string | undefined): Finding[] {
  return file.imports.flatMap(({ specifier, line }) => {
    const owners = RESERVED[packageNameOf(specifier)];
    if (!owners || (packageName && owners.includes(packageName))) return [];
    return [{ path: file.path, line, message: `only ${owners.join(' and ')} may import ${specifier}` }];
  });
}

/** What is declared must be allowed, and used. */
function lintManifest(pkg: WorkspacePackage): Finding[] {
  const path = `${pkg.directory}/package.json`;
  const sources = pkg.files.filter((file) => !isTest(file.path));
  const imported = new Set(sources.flatMap((file) => file.imports.map((it) => packageNameOf(it.specifier))));
  return Object.keys(pkg.manifest.dependencies ?? {}).flatMap((name) => {
    if (name in PACKAGES && !PACKAGES[pkg.name]!.may.includes(name))
      return [{ path, line: 1, message: `${pkg.name} must not depend on ${name}` }];
    if (!imported.has(name))
      return [{ path, line: 1, message: `${name} is a dependency but never imported` }];
    return [];
  });
}
