/** `npm test`: every test of the project but the long ones, on this machine and in the lab, and one sum as the last line. */
import { parseArgs } from 'node:util';
import { planTests, type TestGroup, type TestPlace } from './testing/plan.ts';
import { Report } from './testing/report.ts';
import { runGroup } from './testing/run-group.ts';

const USAGE = `Usage: npm test -- [--only host|lab|guests] [--name PATTERN] [FILE…]

  --only host      what needs no lab
  --only lab       the tests of the lab and those in it
  --only guests    long runs of real guests under the engine, which npm test leaves out
  --name PATTERN   tests whose name matches this regular expression
  FILE             files whose path contains this
`;

/** One after the other, but those that use one core two at a time. */
async function runAll(groups: readonly TestGroup[], report: Report): Promise<void> {
  const rest = [...groups];
  const takeTurns = async (isMine: (group: TestGroup) => boolean) => {
    while (rest[0] && isMine(rest[0])) await runGroup(rest.shift()!, root, values.name, report);
  };
  while (rest.length > 0) {
    await takeTurns(({ files }) => files.length > 1);
    const isSmall = ({ files }: TestGroup) => files.length === 1;
    await Promise.all([takeTurns(isSmall), takeTurns(isSmall)]);
  }
}

function isPlace(word: string): word is TestPlace {
  return ['host', 'lab', 'guests'].includes(word);
}

const root = new URL('..', import.meta.url).pathname;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, name: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
});
const { only } = values;

if (values.help) {
  process.stdout.write(USAGE);
} else if (only !== undefined && !isPlace(only)) {
  process.stderr.write(`--only is host, lab or guests, not ${only}.\n`);
  process.exitCode = 2;
} else {
  const report = new Report(root);
  const groups = planTests(root, only, positionals);
  if (groups.length === 0) report.addFailure('npm test', 'No test file matches.');
  await runAll(groups, report);
  report.end();
  process.exitCode = report.failed > 0 ? 1 : 0;
}
