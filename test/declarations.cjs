// The last step of `npm run build`: declarations for ES modules. Egg 4 declares itself twice, for CommonJS and for ES
// modules, and `declare module 'egg'` of a .d.ts reaches the first alone: an application in ES modules would have no app.io.
const fs = require('node:fs');
const path = require('node:path');

const LIB = path.resolve(__dirname, '../lib');
/** A relative import: there are no directories with an index in lib. */
const RELATIVE = /((?:from|import)\s*\(?\s*')(\.{1,2}\/[^']+)(')/g;

for (const name of fs.readdirSync(LIB, { recursive: true })) {
  if (!name.endsWith('.d.ts')) continue;
  const file = path.join(LIB, name);
  fs.writeFileSync(file.replace(/\.ts$/, '.mts'), fs.readFileSync(file, 'utf8').replace(RELATIVE, '$1$2.mjs$3'));
}
