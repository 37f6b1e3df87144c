/** GNU binutils' disassembler, to compare ours with. */
import { spawnSync } from 'node:child_process';

export interface Line {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** With single spaces, numbers in `0x` form, and without symbols and prefixes that mean nothing. */
  readonly text: string;
}

/** Why there can be no comparison; undefined when there can. */
export const objdumpMissing =
  spawnSync('objdump', ['--version']).status === 0
    ? undefined
    : 'needs GNU binutils: apt-get install binutils';

/** `options`: what to disassemble, of which kind. */
export function objdump(options: readonly string[]): Line[] {
  const args = ['-M', 'intel', '--wide', ...options];
  const { stdout, stderr, status } = spawnSync('objdump', args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`objdump ${args.join(' ')}: ${stderr}`);
  return stdout.split('\n').flatMap((line) => parse(line));
}

/** `  103fff8:\t48 c1 eb 03 \tshr    rbx,0x3`. */
function parse(line: string): Line[] {
  const [address, bytes, text] = line.split('\t');
  if (!address?.endsWith(':') || bytes === undefined || text === undefined) return [];
  return [
    {
      address: BigInt(`0x${address.trim().slice(0, -1)}`),
      bytes: Uint8Array.from(bytes.trim().split(' '), (digits) => Number.parseInt(digits, 16)),
      text: normalised(text),
    },
  ];
}

/** What a decoded instruction does not have, as it makes no difference there. */
const MEANINGLESS = /^((?:lock |rep[nz]* |bnd )*)(?:data16|[c-gs]s|rex(?:\.[WRXB]+)?|addr32|notrack) /;

function normalised(text: string): string {
  let rest = text
    .replace(/ *<.*>/, '')
    .replace(/ +/g, ' ')
    .trim();
  while (MEANINGLESS.test(rest)) rest = rest.replace(MEANINGLESS, '$1');
  return rest.replace(/(# |^(?:\w+ )?(?:j\w+|call|loop\w*) )([0-9a-f]+)$/, '$10x$2');
}
