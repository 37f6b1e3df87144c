/** Makes packages/x86-engine/gen/interpreter.wasm from the instruction table. The same sources give the same bytes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeInterpreter } from '@vireo/x86-engine/interpreter/interpreter-module';
import { MEMORY_LIMITS } from '@vireo/x86-engine/memory-map';

const GEN = join(import.meta.dirname, '../packages/x86-engine/gen');

mkdirSync(GEN, { recursive: true });
writeFileSync(join(GEN, 'interpreter.wasm'), makeInterpreter(MEMORY_LIMITS));
