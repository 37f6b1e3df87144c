/** Preloaded by every Node in the lab: takes the sources that were stripped of their types outside (stripped-sources.ts). */
'use strict';
const { readFileSync } = require('node:fs');
const { registerHooks } = require('node:module');
const { dirname } = require('node:path');
const { fileURLToPath, pathToFileURL } = require('node:url');

const REPOSITORY = pathToFileURL(dirname(dirname(__dirname))).href;

registerHooks({
  load(url, context, nextLoad) {
    if (!url.startsWith(REPOSITORY) || !url.endsWith('.ts')) return nextLoad(url, context);
    const path = fileURLToPath(`${REPOSITORY}/.stripped${url.slice(REPOSITORY.length)}`);
    let source;
    try {
      source = readFileSync(path);
    } catch {
      return nextLoad(url, context);
    }
    return { format: 'module', source, shortCircuit: true };
  },
});
