/** `npm run check`: format and lint (Biome), the project's own lints, and types, all at the same time. */
import { spawn } from 'node:child_process';
import { styleText } from 'node:util';

const root = new URL('..', import.meta.url).pathname;
const bin = `${root}node_modules/.bin`;

interface Job {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

const JOBS: readonly Job[] = [
  {
    name: 'format and lint',
    command: [`${bin}/biome`, 'check', '--error-on-warnings', '--reporter=concise', '.'],
  },
  { name: 'layers and house rules', command: [process.execPath, 'tools/layers.ts'] },
  {
    name: 'types',
    command: [`${bin}/tsc`, '-p', 'tsconfig.json', '--pretty', String(Boolean(process.stdout.isTTY))],
  },
];

interface Result {
  readonly status: number | null;
  readonly output: string;
  readonly seconds: number;
}

async function run([program, ...args]: Job['command']): Promise<Result> {
  const started = performance.now();
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const collect = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject).on('close', resolve);
  return { status: await promise, output, seconds: (performance.now() - started) / 1000 };
}

function report({ name }: Job, { status, output, seconds }: Result): void {
  const mark = status === 0 ? styleText('green', '✓') : styleText('red', '✗');
  console.log(`${mark} ${name} ${styleText('dim', `${seconds.toFixed(1)} s`)}`);
  // A job that passes may still warn.
  if (status !== 0 || output.includes('warning:')) console.log(output.trimEnd().replace(/^/gm, '  '));
}

const passed = await Promise.all(
  JOBS.map(async (job) => {
    const result = await run(job.command);
    report(job, result);
    return result.status === 0;
  }),
);
process.exitCode = passed.every(Boolean) ? 0 : 1;
