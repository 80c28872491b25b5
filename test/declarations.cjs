// The last step of `npm run build`: writes what ES modules need beside the compiled files, the presence client as an ES module for browsers,
// and declarations. Egg 4 has separate declarations for CommonJS
// and for ES modules. `declare module 'egg'` in a .d.ts extends only the first, so ES modules would have no type of app.io.
const fs = require('node:fs');
const path = require('node:path');
const { transformSync } = require('esbuild');

const LIB = path.resolve(__dirname, '../lib');
/** A relative import. lib has no directories with an index file. */
const RELATIVE = /((?:from|import)\s*\(?\s*')(\.{1,2}\/[^']+)(')/g;

const CLIENT = path.join(LIB, 'presence/client');
const source = fs.readFileSync(`${CLIENT}.ts`, 'utf8');
fs.writeFileSync(`${CLIENT}.mjs`, transformSync(source, { loader: 'ts', format: 'esm', target: 'es2020' }).code);

for (const name of fs.readdirSync(LIB, { recursive: true })) {
  if (!name.endsWith('.d.ts')) continue;
  const file = path.join(LIB, name);
  fs.writeFileSync(file.replace(/\.ts$/, '.mts'), fs.readFileSync(file, 'utf8').replace(RELATIVE, '$1$2.mjs$3'));
}
