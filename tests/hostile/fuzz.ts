/** `npm run fuzz:engine`: hostile guests on the engine, for as long as one likes. Exit status 1 when one of them did harm. */
import { parseArgs } from 'node:util';
import { runHostileGuests } from './hostile-run.ts';

const USAGE = `Usage: npm run fuzz:engine -- [--minutes N] [--seed S] [--vcpus N] [--once]

  Runs random code in random modes on the engine, and ends at the first guest that gets out of it anything but the exits
  that it may make, or that no kick ends.

  --minutes N   for so long; fractions are possible (1)
  --seed S      of the first guest; each further one has the next number (chosen by chance)
  --vcpus N     so many at once, over the same memory (1)
  --once        this guest only
`;

const MS_PER_MINUTE = 60_000;
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    vcpus: { type: 'string', default: '1' },
    once: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h' },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const minutes = Number(values.minutes);
const vcpus = Number(values.vcpus);
const isPossible = Number.isInteger(seed) && seed >= 0 && minutes > 0 && Number.isInteger(vcpus) && vcpus > 0;

if (values.help || !isPossible) {
  process.stdout.write(USAGE);
  process.exitCode = values.help ? 0 : 2;
} else {
  const { failure, guests, exits } = await runHostileGuests({
    ...{ seed, milliseconds: minutes * MS_PER_MINUTE, vcpus, once: values.once },
  });
  process.stdout.write(
    failure ? `${failure}\n` : `${guests} guests from seed ${seed} on: ${JSON.stringify(exits)}\n`,
  );
  process.exitCode = failure ? 1 : 0;
}
