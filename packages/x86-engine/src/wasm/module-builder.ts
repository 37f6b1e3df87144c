/** Puts a WebAssembly module together (WebAssembly Core Specification 3.0, §5.5 "Modules"). */
import { type Code, type FunctionType, VALUE_TYPE } from './code.ts';
import { OP } from './instructions.ts';
import { signedLeb, unsignedLeb } from './leb128.ts';

const FUNCTION_NAMES = 1;
const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  export: 7,
  element: 9,
  code: 10,
} as const;
const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const FUNCTION_TYPE = 0x60;
/** §5.3.5 "Reference Types": of a type of the module's own; §5.5.12 "Element Section": with a table's index and a type. */
const REF_NULL = 0x63;
const ELEMENTS_OF_TYPE = 6;
const KIND = { function: 0, table: 1, memory: 2 } as const;
const SHARED_WITH_MAXIMUM = 0x03;

export interface MemoryLimits {
  readonly minimumPages: number;
  readonly maximumPages: number;
}

/** Functions are numbered in the order in which they are imported, then added: all imports come first. */
export class ModuleBuilder {
  readonly #types: FunctionType[] = [];
  readonly #imports: { module: string; name: string; type: number }[] = [];
  readonly #functions: Code[] = [];
  readonly #exports: { name: string; index: number }[] = [];
  readonly #table: number[] = [];
  readonly #memory: MemoryLimits;
  readonly #names: [index: number, name: string][] = [];

  /** The module imports one shared memory, as `host.memory`. */
  constructor(memory: MemoryLimits) {
    this.#memory = memory;
  }

  typeIndex(type: FunctionType): number {
    const same = (other: FunctionType) =>
      `${other.parameters}>${other.results}` === `${type.parameters}>${type.results}`;
    const known = this.#types.findIndex(same);
    return known >= 0 ? known : this.#types.push(type) - 1;
  }

  /** Imports `host.NAME`, or another module's. @returns its index */
  importFunction(name: string, type: FunctionType, module = 'host'): number {
    if (this.#functions.length > 0) throw new Error('imports come before functions');
    return this.#imports.push({ module, name, type: this.typeIndex(type) }) - 1;
  }

  /** `name` is what profiles and stack traces show. @returns the function's index */
  add(code: Code, name?: string): number {
    this.typeIndex(code.type);
    const index = this.#imports.length + this.#functions.push(code) - 1;
    if (name !== undefined) this.#names.push([index, name]);
    return index;
  }

  /** Appends a function to the table. @returns its place there */
  addToTable(functionIndex: number): number {
    return this.#table.push(functionIndex) - 1;
  }

  export(name: string, functionIndex: number): void {
    this.#exports.push({ name, index: functionIndex });
  }

  encode(): Uint8Array<ArrayBuffer> {
    const { minimumPages, maximumPages } = this.#memory;
    const memory = [SHARED_WITH_MAXIMUM, ...unsignedLeb(minimumPages), ...unsignedLeb(maximumPages)];
    const types = this.#types.map(({ parameters, results }) => [
      ...[FUNCTION_TYPE, parameters.length, ...parameters.map((it) => VALUE_TYPE[it])],
      ...[results.length, ...results.map((it) => VALUE_TYPE[it])],
    ]);
    const imports = this.#imports.map(({ module, name, type }) => [
      ...[...text(module), ...text(name), KIND.function, ...unsignedLeb(type)],
    ]);
    const exports = this.#exports.map(({ name, index }) => [
      ...[...text(name), KIND.function, ...unsignedLeb(index)],
    ]);
    const elements = this.#table.map((index) => [OP.refFunc, ...unsignedLeb(index), OP.end]);
    // All of one type, which calls through the table then need not look at.
    const elementType = [REF_NULL, ...signedLeb(BigInt(this.#typeOfTable()))];
    return Uint8Array.from([
      ...HEADER,
      ...section(SECTION.type, types),
      ...section(SECTION.import, [[...text('host'), ...text('memory'), KIND.memory, ...memory], ...imports]),
      ...section(
        SECTION.function,
        this.#functions.map((code) => unsignedLeb(this.typeIndex(code.type))),
      ),
      ...section(SECTION.table, [[...elementType, 0x00, ...unsignedLeb(this.#table.length)]]),
      ...section(SECTION.export, exports),
      ...section(SECTION.element, [
        [ELEMENTS_OF_TYPE, 0, OP.i32Const, ...signedLeb(0n), OP.end, ...elementType, ...vector(elements)],
      ]),
      ...section(
        SECTION.code,
        this.#functions.map((code) => code.encode()),
      ),
      ...this.#nameSection(),
    ]);
  }

  #typeOfTable(): number {
    const types = this.#table.map((index) =>
      this.typeIndex(this.#functions[index - this.#imports.length]!.type),
    );
    if (new Set(types).size > 1) throw new Error('functions in the table have one type');
    return types[0] ?? 0;
  }

  /** WebAssembly 2.0 §7.4.1 "Name Section": of functions only. */
  #nameSection(): number[] {
    if (this.#names.length === 0) return [];
    const names = vector(this.#names.map(([index, name]) => [...unsignedLeb(index), ...text(name)]));
    const body = [...text('name'), FUNCTION_NAMES, ...unsignedLeb(names.length), ...names];
    return [SECTION.custom, ...unsignedLeb(body.length), ...body];
  }
}

function text(name: string): number[] {
  const bytes = new TextEncoder().encode(name);
  return [...unsignedLeb(bytes.length), ...bytes];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsignedLeb(items.length), ...items.flat()];
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const body = vector(items);
  return [id, ...unsignedLeb(body.length), ...body];
}
