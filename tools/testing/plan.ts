/** Which test files there are, and where each group of them runs. */
import { globSync } from 'node:fs';
import { join } from 'node:path';

/** `guests`: on the host, and so long that they are run only when asked for. */
export type TestPlace = 'host' | 'lab' | 'guests';

export interface TestGroup {
  readonly where: TestPlace;
  /** In words, for a failure of the group as a whole. */
  readonly name: string;
  /** Relative to the root. */
  readonly files: readonly string[];
  /** Files at a time. A group of one goes together with another. */
  readonly concurrency: number;
  /** What runs `node --test`, before its arguments. */
  readonly launcher: readonly string[];
}

/** Two cores are what the smallest machine has. */
const HOST_CONCURRENCY = 2;

/** Run where /dev/kvm is: here as far as this host's can, in the lab all of them. */
const ALSO_IN_THE_LAB = ['packages/kvm/src/*conformance*.test.ts'];

/** 5 GiB guests above the PCI hole need room; a guest inside a guest is slow, so no stuck test waits for ever. */
const LAB_OPTIONS = ['--memory', '8G', '--timeout', '1800'];

export function planTests(
  root: string,
  only: TestPlace | undefined,
  filters: readonly string[],
): TestGroup[] {
  const find = (patterns: readonly string[]) =>
    globSync(patterns, { cwd: root, exclude: ['**/node_modules/**'] })
      .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
      .sort();
  const inLab = find(['{packages,tests}/**/*.lab.test.ts', ...ALSO_IN_THE_LAB]);
  const ofLab = find(['tests/lab/**/*.test.ts']);
  const onHost = find(['{packages,tools,tests,bench}/**/*.test.ts']).filter(
    (path) => !/\.(lab|guests)\.test\.ts$/.test(path) && !ofLab.includes(path),
  );
  const withGuests = find(['tests/**/*.guests.test.ts']);
  const node = [process.execPath];
  const lab = [process.execPath, join(root, 'tests/lab/lab.ts'), ...LAB_OPTIONS, 'node'];
  const groups: TestGroup[] = [
    { where: 'host', name: 'tests', files: onHost, concurrency: HOST_CONCURRENCY, launcher: node },
    { where: 'guests', name: 'tests with guests', files: withGuests, concurrency: 1, launcher: node },
    { where: 'lab', name: 'tests of the lab', files: ofLab, concurrency: 1, launcher: node },
    // A lab for each: it takes one core, and one that dies takes no other tests with it.
    ...inLab
      .reverse()
      .map((file): TestGroup => ({ where: 'lab', name: file, files: [file], concurrency: 1, launcher: lab })),
  ];
  const isAsked = ({ where }: TestGroup) => (only === undefined ? where !== 'guests' : where === only);
  return groups.filter((group) => group.files.length > 0 && isAsked(group));
}
