// `npm run canary`: the tests with the newest releases of the libraries whose private members the plugin uses, and of ioredis. They are
// installed into a temporary copy of the repository.
//   npm run canary -- test/packet.test.ts    runs these files only; EGG_MAJOR works as with npm test
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..');
/** What is installed, by the name of its directory. */
const NEWEST = {
  'socket.io': 'socket.io@latest',
  'socket.io-adapter': 'socket.io-adapter@latest',
  'socket.io-parser': 'socket.io-parser@latest',
  egg: 'egg@3',
  egg4: 'egg4@npm:egg@4',
  ioredis: 'ioredis@latest',
};
/** The lock file would hold back the packages that these depend on. */
const NOT_COPIED = new Set(['node_modules', '.git', 'logs', 'run', 'coverage', '.tmp', 'package-lock.json']);

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'egg-socket.io-canary-'));
const copy = path.join(temporary, 'egg-socket.io');
// Ctrl-C also reaches the command that is running: it ends, and the directory is removed below.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {});

try {
  fs.cpSync(ROOT, copy, { recursive: true, filter: (file) => !NOT_COPIED.has(path.basename(file)) });
  // package.json keeps its ranges, as published.
  const options = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const installed = run('npm', ['install', ...options, ...Object.values(NEWEST)]);
  for (const name of installed ? Object.keys(NEWEST) : [])
    console.log(`${name} ${version(copy, name)}, here ${version(ROOT, name)}`);
  const done = installed && run(process.execPath, ['test/run.cjs', ...process.argv.slice(2)]);
  process.exitCode = done ? 0 : 1;
} finally {
  fs.rmSync(temporary, { recursive: true, force: true });
}

/** Runs a command in the copy. Returns whether it has succeeded. */
function run(command, args) {
  return spawnSync(command, args, { cwd: copy, stdio: 'inherit' }).status === 0;
}

function version(directory, name) {
  const manifest = path.join(directory, 'node_modules', name, 'package.json');
  return fs.existsSync(manifest) ? JSON.parse(fs.readFileSync(manifest, 'utf8')).version : 'not installed';
}
