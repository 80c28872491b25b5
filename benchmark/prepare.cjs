// Prepares a run: installs the dependencies of the benchmark and compiles the plugin.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '..');
const BUILD = path.join(__dirname, 'build');
const PLUGIN = path.join(BUILD, 'egg-socket.io');

function prepare() {
  install();
  compile();
}

/** Runs `npm ci` if benchmark/node_modules is missing or older than the lock file. */
function install() {
  if (!fs.existsSync(path.join(ROOT, 'node_modules'))) throw new Error('run `npm install` in the repository first');
  const installed = path.join(__dirname, 'node_modules/.package-lock.json');
  const lock = path.join(__dirname, 'package-lock.json');
  if (fs.existsSync(installed) && fs.statSync(installed).mtimeMs >= fs.statSync(lock).mtimeMs) return;
  process.stderr.write('installing the dependencies of the benchmark\n');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: __dirname, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Compiles the plugin into a directory of its own: the JavaScript that the npm package contains. */
function compile() {
  process.stderr.write('compiling the plugin\n');
  // Removes the logs of the last run, too.
  fs.rmSync(BUILD, { recursive: true, force: true });
  const tsc = path.join(ROOT, 'node_modules/.bin/tsc');
  execFileSync(tsc, ['-p', 'tsconfig.json', '--outDir', PLUGIN, '--rootDir', ROOT], { cwd: ROOT, stdio: 'inherit' });
  fs.copyFileSync(path.join(ROOT, 'package.json'), path.join(PLUGIN, 'package.json'));
}

module.exports = { prepare, compile };
