/** Floating-point arithmetic and comparison (Intel SDM Vol. 1 §10.4.1.2 "SSE Arithmetic Instructions", §12.3 "SSE3 Instructions"). */
import type { Builder, Operand, Value } from '../builder.ts';
import type { FloatBinary, FloatShape } from '../float-builder.ts';
import { type Encoding, enc, type Feature, type Instruction, instruction } from '../instruction.ts';
import { r, rw, w } from '../operand.ts';
import { immediateMask } from './sse-shuffle.ts';

interface Suffix {
  readonly suffix: 'PS' | 'PD' | 'SS' | 'SD';
  readonly prefix: 'NP' | '66' | 'F3' | 'F2';
  readonly shape: FloatShape;
  readonly feature: Feature;
  readonly register: 'x' | 'x32' | 'x64';
  readonly source: 'xm128' | 'xm32' | 'xm64';
}

const PS: Suffix = {
  suffix: 'PS',
  prefix: 'NP',
  shape: 'f32x4',
  feature: 'SSE',
  register: 'x',
  source: 'xm128',
};
const PD: Suffix = {
  suffix: 'PD',
  prefix: '66',
  shape: 'f64x2',
  feature: 'SSE2',
  register: 'x',
  source: 'xm128',
};
const SS: Suffix = {
  suffix: 'SS',
  prefix: 'F3',
  shape: 'f32',
  feature: 'SSE',
  register: 'x32',
  source: 'xm32',
};
const SD: Suffix = {
  suffix: 'SD',
  prefix: 'F2',
  shape: 'f64',
  feature: 'SSE2',
  register: 'x64',
  source: 'xm64',
};
const SUFFIXES = [PS, PD, SS, SD];

const binaryRows = (name: string, opcode: string, operation: FloatBinary): Instruction[] =>
  SUFFIXES.map(({ suffix, prefix, shape, feature, register, source }) =>
    instruction(name + suffix, {
      encodings: [enc('RM', `${prefix} 0F ${opcode} /r`, rw(register), r(source))],
      feature,
      semantics(e, destination, operand) {
        const a = e.read(destination!);
        settleAndWrite(e, destination!, e.float.binary(operation, shape, a, e.read(operand!)));
      },
    }),
  );

/** Exceptions come before the destination is written. */
function settleAndWrite(e: Builder, destination: Operand, value: Value): void {
  e.float.settle();
  e.write(destination, value);
}

const SQRT = SUFFIXES.map(({ suffix, prefix, shape, feature, register, source }) =>
  instruction(`SQRT${suffix}`, {
    encodings: [enc('RM', `${prefix} 0F 51 /r`, w(register), r(source))],
    feature,
    semantics: (e, destination, operand) =>
      settleAndWrite(e, destination!, e.float.sqrt(shape, e.read(operand!))),
  }),
);

const COMPARE = SUFFIXES.map(({ suffix, prefix, shape, feature, register, source }) =>
  instruction(`CMP${suffix}`, {
    encodings: [enc('RMI', `${prefix} 0F C2 /r ib`, rw(register), r(source), r('imm8'))],
    feature,
    semantics(e, destination, operand, predicate) {
      const a = e.read(destination!);
      settleAndWrite(e, destination!, e.float.compare(shape, a, e.read(operand!), e.read(predicate!)));
    },
  }),
);

/** Intel SDM Vol. 2A "COMISS—Compare Scalar Ordered Single Precision Floating-Point Values and Set EFLAGS", and UCOMISS. */
const order = (name: string, opcode: string, quiet: boolean): Instruction[] =>
  (
    [
      ['SS', 'NP', 'x32', 'xm32', 'SSE'],
      ['SD', '66', 'x64', 'xm64', 'SSE2'],
    ] as const
  ).map(([suffix, prefix, register, source, feature]) =>
    instruction(name + suffix, {
      encodings: [enc('RM', `${prefix} 0F ${opcode} /r`, r(register), r(source))],
      feature,
      semantics(e, first, second) {
        const a = e.read(first!);
        const flags = e.float.order(a.bits as 32 | 64, a, e.read(second!), quiet);
        e.float.settle();
        const bit = (place: number) => e.truncate(e.shift('shr', flags, e.constant(32, place)), 1);
        const clear = e.constant(1, 0);
        e.setFlags({ CF: bit(0), PF: bit(2), ZF: bit(6), AF: clear, SF: clear, OF: clear });
      },
    }),
  );

const ROUND = [
  { ...PS, opcode: '08' },
  { ...PD, opcode: '09' },
  { ...SS, opcode: '0A' },
  { ...SD, opcode: '0B' },
].map(({ suffix, opcode, shape, register, source }) =>
  instruction(`ROUND${suffix}`, {
    encodings: [enc('RMI', `66 0F 3A ${opcode} /r ib`, w(register), r(source), r('imm8'))],
    feature: 'SSE4.1',
    semantics(e, destination, operand, control) {
      const a = e.read(operand!);
      settleAndWrite(e, destination!, e.float.round(shape, a, e.read(control!)));
    },
  }),
);

const APPROXIMATE = (['RCP', 'RSQRT'] as const).flatMap((name) => {
  const opcode = name === 'RCP' ? '53' : '52';
  const operation = name === 'RCP' ? 'reciprocal' : 'reciprocal-root';
  return [
    instruction(`${name}SS`, {
      encodings: [enc('RM', `F3 0F ${opcode} /r`, w('x32'), r('xm32'))],
      feature: 'SSE',
      semantics: (e, destination, source) =>
        e.write(destination!, e.float.approximate(operation, e.read(source!))),
    }),
    instruction(`${name}PS`, {
      encodings: [enc('RM', `NP 0F ${opcode} /r`, w('x'), r('xm128'))],
      feature: 'SSE',
      semantics(e, destination, source) {
        let value = e.read(source!);
        for (let lane = 0; lane < 4; lane++) {
          const one = e.float.approximate(operation, e.vector.lane('i32x4', value, lane));
          value = e.vector.withLane('i32x4', value, lane, one);
        }
        e.write(destination!, value);
      },
    }),
  ];
});

const PS_EVEN = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const PS_ODD = PS_EVEN.map((place) => place + 4);
const PD_LOW = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const PD_HIGH = PD_LOW.map((place) => place + 8);

/** HADD, HSUB: of neighbours, the first operand's below the second's. */
const horizontal = (name: string, opcode: string, operation: 'add' | 'sub'): Instruction[] =>
  (
    [
      ['PS', 'F2', 'f32x4', PS_EVEN, PS_ODD],
      ['PD', '66', 'f64x2', PD_LOW, PD_HIGH],
    ] as const
  ).map(([suffix, prefix, shape, even, odd]) =>
    instruction(name + suffix, {
      encodings: [enc('RM', `${prefix} 0F ${opcode} /r`, rw('x'), r('xm128'))],
      feature: 'SSE3',
      semantics(e, destination, source) {
        const a = e.read(destination!);
        const b = e.read(source!);
        const value = e.float.binary(
          operation,
          shape,
          e.vector.shuffle(a, b, even),
          e.vector.shuffle(a, b, odd),
        );
        settleAndWrite(e, destination!, value);
      },
    }),
  );

/** ADDSUB: even lanes subtract. */
const addSubtract = (
  [
    ['PS', 'F2', 'f32x4'],
    ['PD', '66', 'f64x2'],
  ] as const
).map(([suffix, prefix, shape]) =>
  instruction(`ADDSUB${suffix}`, {
    encodings: [enc('RM', `${prefix} 0F D0 /r`, rw('x'), r('xm128'))],
    feature: 'SSE3',
    semantics(e, destination, source) {
      const a = e.read(destination!);
      const b = e.read(source!);
      settleAndWrite(e, destination!, alternate(e, shape, a, b));
    },
  }),
);

/** Lane by lane, since each has one of the two operations' exceptions. */
function alternate(e: Builder, shape: 'f32x4' | 'f64x2', a: Value, b: Value): Value {
  const [lanes, scalar, count] =
    shape === 'f32x4' ? (['i32x4', 'f32', 4] as const) : (['i64x2', 'f64', 2] as const);
  let value = a;
  for (let lane = 0; lane < count; lane++) {
    const operation = lane % 2 === 0 ? 'sub' : 'add';
    const one = e.float.binary(
      operation,
      scalar,
      e.vector.lane(lanes, a, lane),
      e.vector.lane(lanes, b, lane),
    );
    value = e.vector.withLane(lanes, value, lane, one);
  }
  return value;
}

/** Intel SDM Vol. 2A "DPPS—Dot Product of Packed Single Precision Floating-Point Values": which products, and where the sum goes. */
const dotProduct = (mnemonic: string, opcode: string, shape: 'f32x4' | 'f64x2'): Instruction => {
  const encodings: readonly Encoding[] = [
    enc('RMI', `66 0F 3A ${opcode} /r ib`, rw('x'), r('xm128'), r('imm8')),
  ];
  const lanes = shape === 'f32x4' ? 'i32x4' : 'i64x2';
  return instruction(mnemonic, {
    encodings,
    feature: 'SSE4.1',
    semantics(e, destination, source, immediateOperand) {
      const { vector, float } = e;
      const a = e.read(destination!);
      const b = e.read(source!);
      const immediate = e.read(immediateOperand!);
      const used = immediateMask(e, e.shift('shr', immediate, e.constant(8, 4)), lanes, e);
      // Products that are not asked for raise nothing: they are 0 times 0.
      const keep = (x: Value) => vector.binary('v128.and', x, used);
      const products = vector.binary('v128.and', float.binary('mul', shape, keep(a), keep(b)), used);
      float.settle();
      settleAndWrite(
        e,
        destination!,
        vector.binary('v128.and', sum(e, shape, products), immediateMask(e, immediate, lanes, e)),
      );
    },
  });
};

/** The sum of all lanes, in all lanes: of pairs first. */
function sum(e: Builder, shape: 'f32x4' | 'f64x2', products: Value): Value {
  const { vector, float } = e;
  if (shape === 'f64x2') {
    const total = float.binary(
      'add',
      'f64',
      vector.lane('i64x2', products, 0),
      vector.lane('i64x2', products, 1),
    );
    return vector.splat('i64x2', total);
  }
  const lane = (place: number) => vector.lane('i32x4', products, place);
  const low = float.binary('add', 'f32', lane(0), lane(1));
  const high = float.binary('add', 'f32', lane(2), lane(3));
  float.settle();
  return vector.splat('i32x4', float.binary('add', 'f32', low, high));
}

/** Intel SDM Vol. 2A "LDMXCSR—Load MXCSR Register", Vol. 2B "STMXCSR—Store MXCSR Register State". */
const CONTROL: readonly Instruction[] = [
  instruction('LDMXCSR', {
    encodings: [enc('M', 'NP 0F AE /2', r('m32'))],
    feature: 'SSE',
    unit: 'sse',
    semantics: (e, source) => e.float.writeControl(e.read(source!)),
  }),
  instruction('STMXCSR', {
    encodings: [enc('M', 'NP 0F AE /3', w('m32'))],
    feature: 'SSE',
    unit: 'sse',
    semantics: (e, destination) => e.write(destination!, e.float.readControl()),
  }),
];

export const SSE_FLOAT: readonly Instruction[] = [
  ...binaryRows('ADD', '58', 'add'),
  ...binaryRows('MUL', '59', 'mul'),
  ...binaryRows('SUB', '5C', 'sub'),
  ...binaryRows('MIN', '5D', 'min'),
  ...binaryRows('DIV', '5E', 'div'),
  ...binaryRows('MAX', '5F', 'max'),
  ...[...SQRT, ...COMPARE, ...ROUND, ...APPROXIMATE],
  ...order('UCOMI', '2E', true),
  ...order('COMI', '2F', false),
  ...horizontal('HADD', '7C', 'add'),
  ...horizontal('HSUB', '7D', 'sub'),
  ...addSubtract,
  dotProduct('DPPS', '40', 'f32x4'),
  dotProduct('DPPD', '41', 'f64x2'),
  ...CONTROL,
];
