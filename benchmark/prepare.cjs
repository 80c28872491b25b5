// Makes ready what the servers need: the benchmark's own dependencies, and the plugin as users get it. Used by run.cjs and count.cjs.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '..');
const BUILT = path.join(__dirname, 'build/egg-socket.io');

function prepare() {
  install();
  build();
}

/** `npm ci`, when node_modules is missing or older than the lock file. The repository's own are left as they are. */
function install() {
  if (!fs.existsSync(path.join(ROOT, 'node_modules'))) throw new Error('run `npm install` in the repository first');
  const installed = path.join(__dirname, 'node_modules/.package-lock.json');
  const wanted = path.join(__dirname, 'package-lock.json');
  if (fs.existsSync(installed) && fs.statSync(installed).mtimeMs >= fs.statSync(wanted).mtimeMs) return;
  process.stderr.write('installing the dependencies of the benchmark\n');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: __dirname, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Compiles the plugin into a directory of its own, so that the checkout stays without built files. */
function build() {
  process.stderr.write('building the plugin\n');
  fs.rmSync(BUILT, { recursive: true, force: true });
  const tsc = path.join(ROOT, 'node_modules/.bin/tsc');
  execFileSync(tsc, ['-p', 'tsconfig.json', '--outDir', BUILT, '--rootDir', ROOT], { cwd: ROOT, stdio: 'inherit' });
  fs.copyFileSync(path.join(ROOT, 'package.json'), path.join(BUILT, 'package.json'));
}

module.exports = prepare;
