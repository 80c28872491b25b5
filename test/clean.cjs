// `npm run clean`: removes the files that the build has written beside the sources, including those of deleted sources.
// `npm test` and the build run it first, because Egg 3 would load an old .js instead of the .ts beside it.
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..');
const BUILT = /\.(?:m?js|d\.m?ts)$/;

/** Removes built files. In these directories all .js, .mjs, .d.ts and .d.mts are built, and git ignores them. */
function clean() {
  const files = ['app', 'agent'].flatMap((name) => [`${name}.js`, `${name}.d.ts`]);
  for (const directory of ['app', 'config', 'lib']) {
    const all = fs.readdirSync(path.join(ROOT, directory), { recursive: true });
    files.push(...all.filter((file) => BUILT.test(file)).map((file) => path.join(directory, file)));
  }
  for (const file of files) fs.rmSync(path.join(ROOT, file), { force: true });
}

module.exports = clean;
if (require.main === module) clean();
