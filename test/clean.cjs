// `npm run clean`: removes what the build writes beside its sources, what it wrote for sources that are gone included.
// Egg 3 prefers a .js to the .ts beside it, so `npm test` and the build begin with this.
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..');
const BUILT = /\.(?:js|d\.m?ts)$/;

/** Removes built files. All .js, .d.ts and .d.mts there are built ones: git ignores them. */
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
